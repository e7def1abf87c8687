"""Write, read, list and delete an object through google-cloud-storage: PROJECT BUCKET."""

import json
import sys

from google.cloud import storage

project, name = sys.argv[1:]
bucket = storage.Client(project=project).bucket(name)
large = bucket.blob("proof/large.bin", chunk_size=256 * 1024)
large.upload_from_string(b"x" * 600_000)  # by pieces, since it is larger than one
found = [blob.name for blob in bucket.list_blobs(prefix="proof/")]
back = len(large.download_as_bytes())
large.delete()
after = [blob.name for blob in bucket.list_blobs(prefix="proof/")]
print(json.dumps({"found": found, "back": back, "after": after}))
