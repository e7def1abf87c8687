"""Remedies for what one of Google's services, or one of our functions, says of itself."""

from planner.remedies.remedy import AGAIN, INSTALL, Remedy

DATABASE = (
    Remedy(
        kind="database-busy",
        title="The database instance is busy",
        api=r"^sqladmin\.",
        says=r"operationInProgress|already in progress|another operation",
        status=503,
        resumable=True,
        remedy="Cloud SQL does one thing at a time per instance, backups and maintenance "
        "included, and was not done after half an hour. Send the same request again later.",
    ),
    Remedy(
        kind="instance-name-blocked",
        title="The instance's name is taken",
        api=r"^sqladmin\.",
        says=r"instanceAlreadyExists",
        status=409,
        remedy="The name exists or is still blocked after a deletion. Delete the deployment and "
        "POST it again: the new one gets a new instance name.",
    ),
    Remedy(
        kind="instance-protected",
        title="The instance is protected against deletion",
        api=r"^sqladmin\.",
        says=r"deletion protection|instance is protected",
        status=409,
        resumable=True,
        remedy="Somebody switched the deletion protection on again. Switch it off and send the "
        "DELETE again.",
    ),
    Remedy(
        kind="instance-stopped",
        title="The database instance is stopped",
        api=r"^sqladmin\.",
        says=r"is not running|invalidState",
        status=409,
        resumable=True,
        remedy="Start the instance (activationPolicy ALWAYS). " + AGAIN,
    ),
    Remedy(
        kind="instance-refused",
        title="Cloud SQL does not accept the instance",
        api=r"^sqladmin\.",
        codes=(400,),
        says=r"Invalid Tier|transaction log retention|invalid data|invalidRequest",
        remedy="The size asks for something that Cloud SQL does not offer in this region. Try "
        "another size or region, and report it: the plan should not have asked.",
    ),
    Remedy(
        kind="database-in-use",
        title="Somebody is still connected to the database",
        api=r"^sqladmin\.",
        says=r"accessed by other users|other session",
        status=409,
        resumable=True,
        remedy="Close the connections that are not the tracking server's, then send the DELETE "
        "again.",
    ),
    Remedy(
        kind="user-owns-things",
        title="The database user still owns things",
        api=r"^sqladmin\.",
        says=r"cannot be dropped because|owns? objects|owner of|depend on it",
        status=409,
        resumable=True,
        remedy="Somebody used the deployment's user in another database. Drop or reassign what "
        "it owns there, then send the DELETE again.",
    ),
    Remedy(
        kind="instance-failed",
        title="Cloud SQL could not make the instance",
        api=r"^sqladmin\.",
        tags=("OperationFailed", "ResourceFailed"),
        resumable=True,
        remedy="Mostly a lack of capacity in the zone. Delete the deployment and POST it again, "
        "if need be in another region.",
    ),
)

BUILD = (
    Remedy(
        kind="build-region",
        title="Builds are not allowed in this region",
        api=r"^cloudbuild\.",
        says=r"cannot run builds in this region",
        remedy="New projects have no build quota in many regions. Ask Google for it, or install "
        "Berth in us-central1 or europe-west1.",
    ),
    Remedy(
        kind="build-push",
        title="The built image may not be stored",
        api=r"^cloudbuild\.",
        says=r"PUSH_NOT_AUTHORIZED|uploadArtifacts|PUSH_FAILED",
        resumable=True,
        remedy=f"The build's account may not write to the image repository. {INSTALL}. {AGAIN}",
    ),
    Remedy(
        kind="build-source",
        title="The image's source cannot be read",
        api=r"^cloudbuild\.",
        says=r"FETCH_SOURCE_FAILED|storage\.objects\.get|storageSource",
        resumable=True,
        remedy=f"The source archive is gone or may not be read. {INSTALL}. {AGAIN}",
    ),
    Remedy(
        kind="build-late",
        title="The build took too long",
        api=r"^cloudbuild\.",
        says=r"TIMEOUT|EXPIRED|DEADLINE|timed out",
        status=504,
        resumable=True,
        remedy="A slow mirror or a full queue. " + AGAIN,
    ),
    Remedy(
        kind="build-failed",
        title="The image cannot be built",
        api=r"^cloudbuild\.",
        tags=("OperationFailed", "ResourceFailed"),
        resumable=True,
        remedy="Read the build's log. A package or base image may be unreachable; with the "
        "locked requirements it is nothing in the request. " + AGAIN,
    ),
)

SERVER = (
    Remedy(
        kind="image-unreadable",
        title="Cloud Run may not read the image",
        api=r"^run\.",
        says=r"permission to read the image|CONTAINER_PERMISSION_DENIED|CONTAINER_MISSING",
        resumable=True,
        remedy=f"Cloud Run's agent or the workflow's account may not read the image repository. "
        f"{INSTALL}. {AGAIN}",
    ),
    Remedy(
        kind="secret-unreadable",
        title="The server may not read a secret",
        api=r"^run\.",
        says=r"permission denied on secret|SECRETS_ACCESS_CHECK_FAILED",
        resumable=True,
        remedy="The binding was made moments before and had not spread. " + AGAIN,
    ),
    Remedy(
        kind="act-as",
        title="The workflow may not deploy as the server's account",
        says=r"iam\.serviceaccounts\.actAs|act as service account",
        status=403,
        resumable=True,
        remedy="The binding was made moments before and had not spread. " + AGAIN,
    ),
    Remedy(
        kind="migration-failed",
        title="The database could not be brought to the image's schema",
        api=r"^run\.",
        says=r"EXECUTION_FAILED|EXECUTION_CANCELLED|/jobs/\S+:run|task .*failed|execution .*failed",
        resumable=True,
        remedy="Read the log of the migrate job. PostgreSQL has rolled the migration back, so "
        "nothing is half done; MySQL keeps the half: restore the backup from before, or delete a "
        "deployment that is new. " + AGAIN,
    ),
    Remedy(
        kind="server-not-starting",
        title="The server does not start",
        api=r"^run\.",
        says=r"failed to start and listen|startup probe|HEALTH_CHECK_CONTAINER_ERROR|"
        r"PROGRESS_DEADLINE_EXCEEDED|CONDITION_FAILED|REVISION_FAILED",
        resumable=True,
        remedy="Read the service's log: its last lines say why. If they speak of /cloudsql, the "
        "right to connect had not spread yet. " + AGAIN,
    ),
    Remedy(
        kind="server-refused",
        title="Cloud Run does not accept the service",
        api=r"^run\.",
        codes=(400,),
        remedy="Google does not know a setting that the plan sends. Report it with the cause: it "
        "is a mistake of Berth's, not of the request.",
    ),
)

DOMAIN = (
    Remedy(
        kind="domain-taken",
        title="Another deployment has this domain",
        api=r"^certificatemanager\.",
        codes=(409,),
        says=r"fixed record exists|already exists",
        status=409,
        remedy="A domain leads to one deployment. Choose another domain, or DELETE the deployment "
        "that has this one.",
    ),
    Remedy(
        kind="dns-zone-missing",
        title="The DNS zone is not there",
        api=r"^dns\.",
        codes=(404,),
        remedy="load_balancer.dns_zone is the name of a public managed zone of this project (gcloud "
        "dns managed-zones list), not the domain. Correct it, or leave it out and make the records "
        "yourself.",
        status=400,
    ),
    Remedy(
        kind="dns-record-refused",
        title="The zone cannot hold the record",
        api=r"^dns\.",
        codes=(400,),
        status=400,
        remedy="The domain must lie below the zone's own name, and must not have a CNAME record. "
        "Correct load_balancer.domain or dns_zone.",
    ),
)

NAMES = (
    Remedy(
        kind="bucket-name-taken",
        title="The bucket's name belongs to somebody else",
        api=r"^storage\.",
        codes=(403, 409),
        says=r"not available|namespace is shared|conflict|does not have storage\.buckets\.get",
        status=409,
        remedy="Bucket names are shared by all of Google Cloud. Choose another name for the "
        "deployment.",
    ),
    Remedy(
        kind="bucket-not-empty",
        title="The bucket is not empty",
        api=r"^storage\.",
        says=r"is not empty",
        status=409,
        resumable=True,
        remedy="Somebody writes to it while it is being emptied. Stop the trainings, then send "
        "the DELETE again.",
    ),
    Remedy(
        kind="policy-race",
        title="A policy keeps changing",
        codes=(409, 412),
        says=r"concurrent policy changes|conditionNotMet",
        status=503,
        resumable=True,
        remedy="Something else rewrites the same policy all the time. " + AGAIN,
    ),
    Remedy(
        kind="member-unknown",
        title="A member does not exist",
        codes=(400,),
        says=r"does not exist|is of type|unknown (member|user|group)",
        status=400,
        remedy="Correct access.members: the cause names the one that Google does not know.",
    ),
    Remedy(
        kind="function-closed",
        title="One of Berth's functions does not let the workflow in",
        api=r"\.run\.app$|\.cloudfunctions\.net$",
        codes=(401, 403),
        resumable=True,
        remedy=f"The workflow's account may not call it. {INSTALL}. {AGAIN}",
    ),
    Remedy(
        kind="function-failed",
        title="One of Berth's functions failed",
        api=r"\.run\.app$|\.cloudfunctions\.net$",
        resumable=True,
        remedy="Read the function's log for the deployment's name. " + AGAIN,
    ),
)
