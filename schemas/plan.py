"""Plan: the resources and grants a deployment is made of, as data the workflow carries out."""

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.deployment import Part
from schemas.model import Flag, Generation, Model, Name

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Request(Model):
    """One HTTP call."""

    method: Method = Field(description="The HTTP method.", examples=["POST"])
    url: str = Field(
        pattern=r"^https://",
        description="The whole address, query included and encoded.",
        examples=["https://storage.googleapis.com/storage/v1/b?project=acme"],
    )
    body: dict[str, Any] | None = Field(
        default=None, description="The JSON body, if there is one.", examples=[{"name": "fraud"}]
    )
    auth: Literal["OAuth2", "OIDC"] = Field(
        default="OAuth2",
        description="OAuth2 for Google's APIs. OIDC for Berth's own functions, which answer when "
        "the work is done: the reply is never an operation. The audience is scheme and host.",
        examples=["OAuth2"],
    )


class Address(Model):
    """Where something is written with one method, the body being made on the spot."""

    method: Method = Field(description="The HTTP method.", examples=["POST"])
    url: str = Field(
        pattern=r"^https://",
        description="The whole address.",
        examples=["https://run.googleapis.com/v2/projects/p/locations/r/services/s:setIamPolicy"],
    )


class Check(Model):
    """A question to a JSON document: is this value at this path?"""

    path: tuple[str | int, ...] = Field(
        min_length=1,
        description="The keys, and the indexes of lists, that lead to the value.",
        examples=[["terminalCondition", "state"]],
    )
    value: str | bool | int | list[str] | None = Field(
        description="The value wanted, a list as a whole; null: anything, as long as something is "
        "there.",
        examples=["CONDITION_SUCCEEDED", ["203.0.113.10"], None],
    )


class Demand(Check):
    """What something that is there already must show, or it cannot be used."""

    otherwise: str = Field(
        description="What to say when it does not; <found> stands for what it shows instead.",
        examples=["the application is in <found>, and a deployment in europe-west needs it there"],
    )
    among: tuple[str, ...] = Field(
        default=(),
        description="Any of these will do; where there are some, the value does not count.",
        examples=[["risk.example.com.", "example.com."]],
    )


class Need(Model):
    """What others made and the deployment is built upon: only ever looked at, before all else."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="What it is called among the deployment's steps; unique there.",
        examples=["dns_zone"],
    )
    title: str = Field(description="What it is, for people.", examples=["DNS zone risk"])
    url: str = Field(
        pattern=r"^https://",
        description="GET answers 200 when it is there and 404 when it is not.",
        examples=["https://dns.googleapis.com/dns/v1/projects/p/managedZones/risk"],
    )
    pointer: str = Field(
        description="JSON pointer to the place of the request that asks for it.",
        examples=["/load_balancer/dns_zone"],
    )
    absent: str | None = Field(
        default=None,
        description="What to say when it is not there; null: then all is well.",
        examples=["there is none of this name in the project"],
    )
    demands: tuple[Demand, ...] = Field(
        default=(),
        description="What it must show when it is there; the words of the first that is not met "
        "are what the part fails with.",
        examples=[[{"path": ["visibility"], "value": "public", "otherwise": "it is <found>"}]],
    )


class Share(Model):
    """One entry of a list that others write, too: added to what is there, never in its place."""

    items: str = Field(
        description="The key, in what GET answers, of the things that have such a list; the first "
        "one counts, and none means that nothing is there.",
        examples=["connections"],
    )
    field: str = Field(
        description="The list's key, in that thing and in the body of the update.",
        examples=["reservedPeeringRanges"],
    )
    value: str = Field(
        description="The entry that is ours.", examples=["google-managed-services-default"]
    )


class Operations(Model):
    """How the API's long-running operations are polled."""

    base: str = Field(
        pattern=r"^https://.*/$",
        description="The operation's name is appended to this.",
        examples=["https://run.googleapis.com/v2/"],
    )
    dialect: Literal["done", "status"] = Field(
        description="How it says that it is finished: done: true, or status: DONE.",
        examples=["done"],
    )
    pending: str | None = Field(
        default=None,
        pattern=r"^https://",
        description="Lists the operations, for an API that says what each is about. What an "
        "execution that was cut off has begun is then waited for before it is removed.",
        examples=[None],
    )
    shown_late: Flag = Field(
        default=False,
        description="Whether the API shows a thing only once its operation is over. What an "
        "execution that was cut off has begun is then waited for before it counts as absent.",
        examples=[False],
    )


class Underway(Model):
    """Where to see that something is being made already, if making it cannot be repeated."""

    url: str = Field(
        pattern=r"^https://",
        description="Lists the attempts to make it.",
        examples=['https://cloudbuild.googleapis.com/v1/projects/p/builds?filter=tags="t"'],
    )
    items: str = Field(description="The key of the list in the answer.", examples=["builds"])
    path: tuple[str, ...] = Field(
        min_length=1, description="Where an attempt says how far it is.", examples=[["status"]]
    )
    values: tuple[str, ...] = Field(
        min_length=1,
        description="What it says there while it goes on.",
        examples=[["PENDING", "QUEUED", "WORKING"]],
    )


class Resource(Model):
    """One thing to be there: looked up, claimed, created or updated, waited for, removed."""

    kind: Literal["resource"] = Field(
        default="resource", description="Tells it from a grant.", examples=["resource"]
    )
    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="What it is called among the deployment's steps; unique there.",
        examples=["database"],
    )
    title: str = Field(
        description="What it is, for people.",
        examples=["Cloud SQL database fraud on berth-pool-1"],
    )
    url: str = Field(
        pattern=r"^https://",
        description="GET answers 200 when it is there and 404 when it is not.",
        examples=["https://secretmanager.googleapis.com/v1/projects/p/secrets/s"],
    )
    exists: Check | None = Field(
        default=None,
        description="It is there only if GET shows this; for things whose name the server chooses.",
        examples=[{"path": ["state"], "value": "ENABLED"}],
    )
    mark: Check | None = Field(
        default=None,
        description="The mark of ownership that one which is already there must show. null: it "
        "can carry none, so it is ours only if it was claimed before.",
        examples=[{"path": ["labels", "berth-deployment"], "value": "fraud"}],
    )
    digest: Check | None = Field(
        default=None,
        description="What it shows while it is as planned; when it differs, it is updated.",
        examples=[{"path": ["labels", "berth-digest"], "value": "0a1b2c3d4e5f"}],
    )
    demands: tuple[Demand, ...] = Field(
        default=(),
        description="What one that is there already must show; when it does not, the part fails "
        "with the words of the first that is not met, before anything is touched. For what "
        "cannot be changed, and for what is not ours to change.",
        examples=[[{"path": ["locationId"], "value": "europe-west", "otherwise": "elsewhere"}]],
    )
    share: Share | None = Field(
        default=None,
        description="It is an entry in a list that others write, too; an update sends the whole "
        "list, ours added. Goes with keep.",
        examples=[None],
    )
    create: Request = Field(
        description="Makes it. What one of Berth's own functions answers is never an operation.",
        examples=[{"method": "POST", "url": "https://storage.googleapis.com/storage/v1/b"}],
    )
    update: Request | None = Field(
        default=None,
        description="Changes one that is there; without a digest it is always applied. It is "
        "also sent when one of `failed` shows at look-up, which is how a resume mends it.",
        examples=[{"method": "PATCH", "url": "https://storage.googleapis.com/storage/v1/b/x"}],
    )
    underway: Underway | None = Field(
        default=None,
        description="For things whose creation cannot be repeated: where to see that it is being "
        "made already. What is under way is waited for, not begun a second time.",
        examples=[None],
    )
    operation: Operations | None = Field(
        default=None,
        description="How to poll what create, update and remove answer; null when they answer "
        "with the result.",
        examples=[{"base": "https://run.googleapis.com/v2/", "dialect": "done"}],
    )
    ready: Check | None = Field(
        default=None,
        description="GET shows this when it is usable; null when being there is enough.",
        examples=[{"path": ["state"], "value": "RUNNABLE"}],
    )
    failed: tuple[Check, ...] = Field(
        default=(),
        description="When GET shows one of these it will never be ready.",
        examples=[[{"path": ["state"], "value": "FAILED"}]],
    )
    remove: tuple[Request, ...] = Field(
        default=(),
        description="Takes it away, in order; the last one is the DELETE. Empty when the step "
        "named by `within` takes it along.",
        examples=[[{"method": "DELETE", "url": "https://storage.googleapis.com/storage/v1/b/x"}]],
    )
    within: str | None = Field(
        default=None,
        description="The name of the step whose removal takes this one along.",
        examples=["db_password_secret"],
    )
    contents: str | None = Field(
        default=None,
        description="For a bucket: lists the objects of all generations, each to be deleted first.",
        examples=["https://storage.googleapis.com/storage/v1/b/x/o?versions=true"],
    )
    outputs: dict[str, tuple[str, ...]] = Field(
        default={},
        description="What later parts need to know: its name among the observed values, and "
        "where it stands in what GET answers.",
        examples=[{"url": ["uri"]}],
    )
    keep: Flag = Field(
        default=False,
        description="It is shared by deployments: never claimed, never removed.",
        examples=[False],
    )
    spare: Flag = Field(
        default=False,
        description="One that is there already, just as wanted, and was not claimed before is "
        "somebody else's: it is used as it is, and spared when the deployment goes.",
        examples=[False],
    )


class Grant(Model):
    """One member holding one role on one resource: the policy is read, changed, written back."""

    kind: Literal["grant"] = Field(
        default="grant", description="Tells it from a resource.", examples=["grant"]
    )
    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="What it is called among the deployment's steps; unique there.",
        examples=["server_may_use_bucket"],
    )
    title: str = Field(
        description="What it allows, for people.",
        examples=["the server may read and write its bucket"],
    )
    role: str = Field(
        pattern=r"^(roles/|projects/)",
        description="The role.",
        examples=["roles/storage.objectUser"],
    )
    member: str = Field(
        description="Who holds it.",
        examples=["serviceAccount:mlflow-fraud@acme.iam.gserviceaccount.com"],
    )
    condition: dict[str, str] | None = Field(
        default=None,
        description="The IAM condition: title, expression.",
        examples=[{"title": "berth-fraud", "expression": "resource.name == 'projects/p'"}],
    )
    read: Request = Field(
        description="Reads the policy, version 3.",
        examples=[{"method": "GET", "url": "https://storage.googleapis.com/storage/v1/b/x/iam"}],
    )
    write: Address = Field(
        description="Writes the policy.",
        examples=[{"method": "PUT", "url": "https://storage.googleapis.com/storage/v1/b/x/iam"}],
    )
    wrap: Flag = Field(
        description='Whether the body is {"policy": …}; Cloud Storage takes the bare policy.',
        examples=[True],
    )
    drop: Flag = Field(
        default=False,
        description="Whether teardown takes it back, the resource being shared. On a resource of "
        "the deployment's own it goes with the resource.",
        examples=[False],
    )


Step = Annotated[Resource | Grant, Field(discriminator="kind")]


class PartPlan(Model):
    """What one part of a deployment is made of, in the order of making it."""

    part: Part = Field(description="The part.", examples=["backend_store"])
    summary: str = Field(
        description="What will be there, in a few words.",
        examples=["database fraud on berth-pool-1"],
    )
    needs: tuple[Need, ...] = Field(
        default=(),
        description="What has to be there, or must not be there, before anything is made.",
        examples=[[]],
    )
    steps: tuple[Step, ...] = Field(
        description="The resources and grants, in order. Removing walks them backwards.",
        examples=[[]],
    )
    known: dict[str, str | tuple[str, ...]] = Field(
        default={},
        description="What is known without asking once the part is there; it joins the observed "
        "values after the outputs of the steps.",
        examples=[{"url": "https://mlflow.risk.example.com"}],
    )


class Plan(Model):
    """Everything a deployment is made of."""

    deployment: Name = Field(description="The deployment's name.", examples=["fraud"])
    generation: Generation = Field(
        description="The generation of the spec it was made from.", examples=[1]
    )
    notes: tuple[str, ...] = Field(
        default=(),
        description="What is worth knowing about what is asked for; none of it is an error.",
        examples=[["two DNS records of mlflow.risk.example.com are for you to make"]],
    )
    parts: tuple[PartPlan, ...] = Field(
        description="The parts, in the order of making them.", examples=[[]]
    )
