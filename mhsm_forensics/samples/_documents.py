"""The texts among the samples: their README, and the one published record with its source."""

# ruff: noqa: E501 - texts are kept as they are

from __future__ import annotations


def documents() -> dict[str, bytes]:
    """Return README.md, the folder ``documented/``, and what keeps git from changing line ends, by path."""
    texts = {
        ".gitattributes": "# Evidence is bytes: no line end may change.\n* -text\n",
        "README.md": README,
        "documented/SOURCE.md": SOURCE,
        "documented/backup-create.json": BACKUP_CREATE,
    }
    return {name: text.encode() for name, text in texts.items()}


README = """\
# Sample evidence

All synthetic: organisations, people, identifiers and keys are invented, addresses come from the ranges reserved for
documentation (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32) and from 10.0.0.0/8. The one record in
`documented/` is Microsoft's published example; its source stands beside it.

| folder | what it holds |
|---|---|
| `quiet-day/` | one HSM, 4 March 2026 in UTC, nothing wrong in it |
| `incident/` | two HSMs and a key vault in one container: two quiet weeks, then an intrusion of three days |
| `incident/insights-logs-auditevent/` | the evidence itself, as a container holds it: load this |
| `incident/context/` | what other logs say of the same days: activity log, sign-ins, requests to the backups' storage; and lists of who and whose |
| `incident/truth.json` | the solution: what really happened, who it was, and what looks bad and isn't |
| `damaged/` | one fault a file, named after it; good records around it |
| `damaged/expected.json` | for each of those files, what becomes of its lines when it is loaded alone |
| `documented/` | the one published Managed HSM record |

Made by `python -m mhsm_forensics.samples data-samples/`, the same bytes each time on every machine; a test compares.

## Shapes and traps in `incident/`

`contoso-hsm-prod` writes the nested shape that storage records of key vaults have, `contoso-hsm-dr` the flat one of the
documentation (identity as a JSON text, milliseconds, version 1 correlation ids). `resultType` is always `Success`, as in
life. Blobs are named by the hour of arrival: lines come minutes late and out of order, some a day late. Five lines
were delivered twice, two lines are blank, the last line of the last blob is torn. No source names the operations
listed under `unpublished_operations`; the names there are guesses.

## What `incident/context/` adds

`activity-log.json` is what `az monitor activity-log list` prints, `sign-ins.json` rows of two workspace tables,
`storage-requests.csv` the portal's export of StorageBlobLogs. They say what the audit log can't: who removed the diagnostic
settings before the silence, with which credential the thief signed in (the token ids are those of the audit log), and that
a full backup was read from the storage account a quarter of an hour after it was taken.

The lists are of the day after: `users.csv` is the portal's download, `service-principals.json` what `az ad sp list` prints
(the stolen one is disabled by then), `role-assignments-contoso-hsm-prod.json` what `az keyvault role assignment list` prints,
`addresses.csv` the organisation's own list with one typing error in it, `service-tags.json` a few service tags in
Microsoft's form.

## Fates in `damaged/expected.json`

Each line, or element of an array, is exactly one of event, witness, duplicate, out_of_scope, blank and reject. Choices that
one could see otherwise:

* A time in American style is `no_zone` inside JSON. In the portal's CSV the header says `[UTC]`: good there.
* A record that cannot be told apart from the next one, because both stand on one line, is one `not_json`.
* A run of NULs is `not_json`, also where a whole record follows it on the same line.
* The CSV files' header is no line; a cell may hold line breaks. The four HSM rows of each workspace file, whatever
  the format, are the four records of `same-records-storage.json`.

What is too large to keep is made when needed: `samples.bulk(folder, megabytes=…, files=…, seed=…)` writes an hourly
tree for benchmarks, `samples.long_line(path, megabytes)` a file with one enormous line.
"""

SOURCE = """\
# Source

`backup-create.json` is the example record of "Managed HSM logging" on Microsoft Learn (article dated 2025-02-13),
<https://learn.microsoft.com/azure/key-vault/managed-hsm/logging>, in the redaction of 2020, unchanged. Microsoft's
documentation is licensed under [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). It is the only public record
of a managed HSM that is known to us, and it isn't a line as storage holds it: it is laid out over many lines, in an array.
"""

BACKUP_CREATE = r"""[
  {
    "TenantId": "766eaf62-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    "time": "2020-08-31T19:52:39.763Z",
    "resourceId": "/SUBSCRIPTIONS/A1BA9AAA-xxxx-xxxx-xxxx-xxxxxxxxxxxx/RESOURCEGROUPS/CONTOSORESOURCEGROUP/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/CONTOSOMHSM",
    "operationName": "BackupCreate",
    "operationVersion": "7.0",
    "category": "AuditEvent",
    "resultType": "Success",
    "properties": {
        "PoolType": "M-HSM",
        "sku_Family": "B",
        "sku_Name": "Standard_B1"
    },
    "durationMs": 488,
    "callerIpAddress": "X.X.X.X",
    "identity": "{\"claim\":{\"appid\":\"04b07795-xxxx-xxxx-xxxx-xxxxxxxxxxxx\",\"http_schemas_microsoft_com_identity\":{\"claims\":{\"objectidentifier\":\"b1c52bf0-xxxx-xxxx-xxxx-xxxxxxxxxxxx\"}},\"http_schemas_xmlsoap_org_ws_2005_05_identity\":{\"claims\":{\"upn\":\"admin@contoso.com\"}}}}",
    "clientInfo": "azsdk-python-core/1.7.0 Python/3.8.2 (Linux-4.19.84-microsoft-standard-x86_64-with-glibc2.29) azsdk-python-azure-keyvault/7.2",
    "correlationId": "8806614c-ebc3-11ea-9e9b-00155db778ad",
    "subnetId": "(unknown)",
    "httpStatusCode": 202,
    "PoolName": "mhsmdemo",
    "requestUri": "https://ContosoMHSM.managedhsm.azure.net/backup",
    "resourceGroup": "ContosoResourceGroup",
    "resourceProvider": "MICROSOFT.KEYVAULT",
    "resource": "ContosoMHSM",
    "resourceType": "managedHSMs"
  }
]
"""
