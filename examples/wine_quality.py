"""Train, register and load a wine classifier through a tracking server: proof that all of it works.

    MLFLOW_TRACKING_URI=https://… MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=… \
        python examples/wine_quality.py

The data is generated, not downloaded: 6,497 wines with the eleven measurements of the well-known
UCI table, drawn from a seed around plausible means, good wines (one in five) leaning to more
alcohol and less acid. The figures are therefore repeatable, and say nothing about real wine.
"""

import argparse
import os
import sys
import warnings
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

COLUMNS = {  # name: (mean, deviation, shift of a good wine in deviations)
    "fixed_acidity": (7.2, 1.3, -0.05),
    "volatile_acidity": (0.34, 0.16, -0.6),
    "citric_acid": (0.32, 0.15, 0.25),
    "residual_sugar": (5.4, 4.7, -0.15),
    "chlorides": (0.056, 0.035, -0.5),
    "free_sulfur_dioxide": (30.5, 17.7, 0.1),
    "total_sulfur_dioxide": (115.7, 56.5, -0.15),
    "density": (0.9947, 0.003, -0.9),
    "pH": (3.22, 0.16, 0.05),
    "sulphates": (0.53, 0.15, 0.2),
    "alcohol": (10.5, 1.2, 1.35),
}
WINES = 6497
GOOD_SHARE = 0.2
MODEL = "wine_quality"
ALIAS = "champion"


class ProbabilityOfGood(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]  # lazily loaded
    """Answers with the probability that a wine is good, not with a class."""

    def __init__(self, classifier: RandomForestClassifier) -> None:
        self.classifier = classifier

    def predict(
        self,
        context: Any,  # noqa: ARG002 - the signature is MLflow's
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002 - the signature is MLflow's
    ) -> Any:
        """Return one probability per row."""
        return self.classifier.predict_proba(model_input)[:, 1]


def wines(seed: int = 7) -> tuple[pd.DataFrame, pd.Series]:
    """Return the measurements of 6,497 wines and whether each is good (1) or not (0)."""
    generator = np.random.default_rng(seed)
    good = (generator.random(WINES) < GOOD_SHARE).astype(int)
    measured = {
        name: generator.normal(mean, deviation, WINES) + shift * deviation * good
        for name, (mean, deviation, shift) in COLUMNS.items()
    }
    return pd.DataFrame(measured), pd.Series(good, name="good")


def train(data: pd.DataFrame, good: pd.Series) -> tuple[str, float]:
    """Train a forest in a new run of the tracking server.

    Returns:
        The URI of the logged model, and the area under its ROC curve on wines it has not seen.
    """
    x_train, x_test, y_train, y_test = train_test_split(data, good, random_state=123)
    with mlflow.start_run(run_name="random forest"):
        forest = RandomForestClassifier(n_estimators=10, random_state=123).fit(x_train, y_train)
        auc = float(roc_auc_score(y_test, forest.predict_proba(x_test)[:, 1]))
        mlflow.log_param("n_estimators", 10)
        mlflow.log_metric("auc", auc)
        model = ProbabilityOfGood(forest)
        logged = mlflow.pyfunc.log_model(
            name=MODEL,
            python_model=model,
            signature=infer_signature(x_train, model.predict(None, x_train)),
            pip_requirements=["scikit-learn", "pandas"],
        )
    return str(logged.model_uri), auc


def main() -> int:
    """Run the walk-through and print one line per result; fail if the loaded model differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracking-uri", default=os.environ.get("MLFLOW_TRACKING_URI"))
    parser.add_argument("--experiment", default="wine quality")
    arguments = parser.parse_args()
    if not arguments.tracking_uri:
        parser.error("say where the tracking server is: --tracking-uri or MLFLOW_TRACKING_URI")
    warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
    mlflow.set_tracking_uri(arguments.tracking_uri)
    mlflow.set_experiment(arguments.experiment)

    data, good = wines()
    uri, auc = train(data, good)
    version = mlflow.register_model(uri, MODEL).version
    mlflow.MlflowClient().set_registered_model_alias(MODEL, ALIAS, version)

    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}@{ALIAS}")
    _, x_test, _, y_test = train_test_split(data, good, random_state=123)
    again = float(roc_auc_score(y_test, loaded.predict(x_test)))
    if abs(again - auc) > 1e-9:  # noqa: PLR2004 - equal but for rounding
        sys.exit(f"the loaded model scores {again:.4f}, the trained one {auc:.4f}")
    rows = loaded.predict(x_test.head())
    print(
        f"AUC {auc:.4f}, registered {MODEL} v{version}, loaded by alias {ALIAS}, "
        f"predicted {len(rows)} rows"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
