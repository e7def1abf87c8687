"""The pitfalls of all Google's APIs together, and of policies and accounts, held against every call.

Those of one API are in the files beside this one: test_pitfalls_cloud_run.py and so on.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.planner import discovery
from tests.planner.every_body import everything, grants, leaves, never_sent, sent

OUTPUT_ONLY = re.compile(r"\W*output[ -]only\b", re.IGNORECASE)
PUBLIC = {"allUsers", "allAuthenticatedUsers"}


def described(value: Any, schema: Mapping[str, Any], api: str) -> Iterator[tuple[str, str]]:
    """Yield each field of a body with what Google's document says of it."""
    schema = discovery.document(api)["schemas"][schema["$ref"]] if "$ref" in schema else schema
    if isinstance(value, list):
        for item in value:
            yield from described(item, schema["items"], api)
    elif isinstance(value, dict):
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            yield key, inner.get("description", "")
            yield from described(item, inner, api)


def test_nothing_is_said_that_only_google_can_say() -> None:
    """Fields: where output only stands in words alone, Google takes the field and ignores it."""
    seen = 0
    for call in everything():
        if call.body is None:
            continue
        api = discovery.APIS[str(urlsplit(call.url).hostname)]
        request = discovery.method_of(call.method, call.url)["request"]
        for field, words in described(call.body, request, api):
            seen += 1
            assert not OUTPUT_ONLY.match(words), f"{call}: {field}"
    assert seen


def test_every_body_is_what_google_s_document_says() -> None:
    """Fields: names, types and enums are Google's, int64 a number in a string, times with an s."""
    for call in everything():
        discovery.check(call.method, call.url, call.body)


def test_no_field_is_null() -> None:
    """Fields: what is not wanted is left out; null means default to one API and error to another."""
    for call in everything():
        if call.body is not None:
            assert None not in list(leaves(call.body)), call


def test_every_policy_is_read_with_its_conditions() -> None:
    """Policies: version 3 must be asked for, or conditions are left out and destroyed by writing."""
    assert grants()
    for title, grant in grants():
        url, body = grant.read.url, grant.read.body
        in_query = re.search(r"[?&]options(\.r|R)equestedPolicyVersion=3$", url)
        in_body = body == {"options": {"requestedPolicyVersion": 3}}
        assert bool(in_query) != in_body, f"{title}, {grant.name}"


def test_a_policy_is_written_where_it_was_read() -> None:
    """Policies: Cloud Storage takes it bare and by PUT, every other API wrapped and by POST."""
    for title, grant in grants():
        bucket = "storage.googleapis.com" in grant.write.url
        where = f"{title}, {grant.name}"
        read = grant.read.url.partition("?")[0].removesuffix(":getIamPolicy")
        assert read == grant.write.url.removesuffix(":setIamPolicy"), where
        assert grant.write.method == ("PUT" if bucket else "POST"), where
        assert grant.wrap is not bucket, where


def test_a_policy_is_read_by_the_verb_of_its_api() -> None:
    """Policies: IAM, projects and IAP are read by POST, everything else by GET."""
    by_post = re.compile(r"https://(iam|iap|cloudresourcemanager)\.")
    for title, grant in grants():
        verb = "POST" if by_post.match(grant.read.url) else "GET"
        assert grant.read.method == verb, f"{title}, {grant.name}"


def test_nothing_is_given_to_everybody() -> None:
    """Policies: organisations that limit sharing refuse these two, and a project always does."""
    for title, grant in grants():
        assert grant.member not in PUBLIC, title
        assert re.match(r"(user|group|serviceAccount|domain):.", grant.member), title


def test_a_condition_is_only_on_the_project() -> None:
    """Policies: elsewhere the resource bounds the right; a condition on a basic role is refused."""
    conditional = [(title, one) for title, one in grants() if one.condition is not None]
    assert conditional
    for title, grant in conditional:
        assert "/v3/projects/" in grant.write.url, title
        assert grant.condition is not None
        assert grant.condition.keys() >= {"title", "expression"}, title
        assert grant.role not in {"roles/owner", "roles/editor", "roles/viewer"}, title


def test_acting_as_an_account_is_bound_on_the_account() -> None:
    """Policies: on the project these two would be the right to act as all of its accounts."""
    for title, grant in grants():
        if grant.role.startswith("roles/iam.serviceAccount"):
            assert re.search(r"/serviceAccounts/[^/]+:setIamPolicy$", grant.write.url), title


def test_accounts_are_found_below_the_project() -> None:
    """Accounts: below projects/- a missing one reads as 403 instead of 404."""
    for call in sent(r"^https://iam\.", "GET", "POST", "DELETE"):
        assert "/v1/projects/acme-mlflow/serviceAccounts" in call.url, call


def test_accounts_have_names_that_are_taken() -> None:
    """Accounts: 6 to 30 characters that begin with a letter; labels do not exist, words do."""
    for call in sent(r"^https://iam\..*/serviceAccounts$"):
        name = call.body["accountId"]
        assert re.fullmatch(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", name), call
        assert call.body["serviceAccount"].keys() == {"displayName", "description"}, call


def test_no_account_gets_a_key() -> None:
    """Accounts: tokens are made for them where they run; a key would have to be kept by somebody."""
    never_sent(r"^https://iam\..*/keys")


def test_no_api_is_switched_on_or_off() -> None:
    """APIs: a deployment that disabled one at its end would take it from all the others."""
    never_sent(r"^https://serviceusage\.")


def test_a_mask_names_what_is_in_the_body() -> None:
    """Updates: a field of the mask that the body lacks is cleared, one beside it is ignored."""
    for call in sent(r"[?&]updateMask=", "PATCH"):
        masked = set(call.url.split("updateMask=")[1].split("&")[0].split(","))
        if ":iapSettings" in call.url:
            # Clearing is what this one is for.
            assert (masked, call.body) == ({"accessSettings"}, {}), call
        elif "servicenetworking" in call.url:
            assert masked == set(call.body) - {"network"}, call
        else:
            assert masked == set(call.body), call
