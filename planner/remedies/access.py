"""Remedies for what stands before a tracking server: IAP, oauth2-proxy, and secrets that teams bring."""

from planner.remedies.remedy import AGAIN, INSTALL, Remedy

ACCESS = (
    Remedy(
        kind="brought-secret",
        title="A secret that the team brought cannot be used",
        says=r"problem:brought-secret",
        finds=r"what helps: `([^`]+)`",
        status=400,
        resumable=True,
        remedy="Let the owner of the secret run {found} - a grant takes a few minutes to be "
        f"known. {AGAIN}",
    ),
    Remedy(
        kind="iap-agent-missing",
        title="Identity-Aware Proxy has no account in this project yet",
        codes=(400, 404),
        says=r"gcp-sa-iap\.iam\.gserviceaccount\.com",
        resumable=True,
        remedy=f"{INSTALL}, IAP's account among it. {AGAIN}",
    ),
    Remedy(
        kind="iap-may-not-call",
        title="Identity-Aware Proxy may not call the server",
        tags=("VerifyFailed",),
        says=r"does not have permission to get URL|IAP service account is not provisioned",
        resumable=True,
        remedy="Members pass Identity-Aware Proxy, and Cloud Run turns it away itself: its account lost "
        f"roles/run.invoker on the service, or is not there. {INSTALL}. {AGAIN}",
    ),
    Remedy(
        kind="iap-not-there",
        title="Identity-Aware Proxy does not know what it shall guard",
        api=r"^iap\.",
        codes=(404,),
        resumable=True,
        remedy="The service or the load balancer's backend was removed while its members were let "
        f"in, or is not known everywhere yet. {AGAIN}",
    ),
    Remedy(
        kind="iap-foreign-settings",
        title="Identity-Aware Proxy has settings that are not ours",
        tags=("NotOurs",),
        says=r"iapSettings",
        status=409,
        remedy="Somebody set a client or allowed domains for a server of this name. Take them "
        "back with `gcloud iap settings set`, or choose another name for the deployment.",
    ),
    Remedy(
        kind="iap-settings-refused",
        title="Identity-Aware Proxy does not accept the settings",
        says=r"answered 400 to a call of Berth's: .*(oauth|client_?id|client secret)",
        status=400,
        remedy="Look whether the two secrets hold the id and the secret of one and the same OAuth "
        "client, of type web application. " + AGAIN,
    ),
)
