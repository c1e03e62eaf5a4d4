"""Every column of every table: its type, its unit and meaning, and where each source keeps it.

Columns are defined here and nowhere else. `docs/schema.md` is generated from this file, and a test
refuses any column of events that the package reads but this file does not define.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

_TYPES = {
    "string": pa.string(),
    "int": pa.int64(),
    "timestamp": pa.timestamp("us"),
    "binary": pa.binary(),
    "list": pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: str
    meaning: str
    record: str = ""  # the field of the storage record ("" where the value is derived)
    diagnostics: str = ""  # the column of AzureDiagnostics
    auditlogs: str = ""  # the column of AZKVAuditLogs


# Times are stored as UTC without a zone, because SQL engines shift zoned times to the zone of the session;
# they are handed to pandas with the zone. Strings are Arrow strings: pandas' object columns merge values
# that differ only after a NUL.
EVENTS = (
    Column("event_id", "string", "evidence and byte; opaque, unique in the case, the same after every rebuild"),
    Column("record_id", "string", "32 hex digits of a SHA-256 over the normalised fields: the same record by any route"),
    Column("time", "timestamp", "when the service logged the request, UTC", "time", "TimeGenerated", "TimeGenerated"),
    Column("t", "int", "the same instant, microseconds since 1970-01-01T00:00Z"),
    Column("time_text", "string", "the time as the source wrote it", "time", "TimeGenerated", "TimeGenerated"),
    Column("hsm", "string", "name of the managed HSM, lower case, from the resource id", "resourceId", "_ResourceId", "_ResourceId"),
    Column("resource_id", "string", "resource id, lower case", "resourceId", "_ResourceId", "_ResourceId"),
    Column("subscription_id", "string", "subscription, from the resource id"),
    Column("resource_group", "string", "resource group, from the resource id"),
    Column("resource_type", "string", "`managedhsms`, `vaults`, …, from the resource id"),
    Column("operation", "string", "name of the operation, verbatim", "operationName", "OperationName", "OperationName"),
    Column("operation_class", "string", "what kind of operation it is: by its name if known, else by its URI"),
    Column("effect", "string", "what it does if it succeeds: `read`, `use`, `change`, `export`, `destroy`, `unknown`"),
    Column("operation_status", "string", "how well the name is known: `documented`, `expected`, `unseen`"),
    Column("class_by_uri", "string", "the class that the URI alone gives: a second, independent witness"),
    Column("outcome", "string", "`success` 200/201/204, `accepted` 202, `denied` 401/403, `failure` any other, `unknown`"),
    Column("http_status", "int", "HTTP status", "properties.httpStatusCode", "httpStatusCode_d", "HttpStatusCode"),
    Column("result_type", "string", "verbatim; says Success on refused requests too", "resultType", "ResultType", "ResultType"),
    Column("result_signature", "string", "reason phrase, verbatim", "resultSignature", "ResultSignature", "ResultSignature"),
    Column("result_description", "string", "verbatim; the reason of a refusal", "resultDescription", "ResultDescription", "ResultDescription"),
    Column("duration_ms", "int", "time at the service, milliseconds", "durationMs", "DurationMs", "DurationMs"),
    Column("caller_ip", "string", "address of the caller, without port and brackets", "callerIpAddress", "CallerIPAddress", "CallerIpAddress"),
    Column("caller_port", "int", "port of the caller, where the source has one"),
    Column("ip_scope", "string", "`public`, `private`, `cgnat`, `loopback`, `reserved`, `invalid`"),
    Column("actor", "string", "who: object id, else application id, else the user name in small letters; null where the record names nobody. Questions and rules go by it"),
    Column("principal", "string", "best label of the caller: user name, else managed identity, else object id, else application id"),
    Column("principal_type", "string", "`user`, `service_principal`, `managed_identity`, `anonymous`, `unreadable` (an export has spoilt the identity), `unknown`"),
    Column("object_id", "string", "object id of the principal; rights are given to it", "identity.claim.oid", "identity_claim_oid_g", "Identity.claim.oid"),
    Column("app_id", "string", "application (client) id", "identity.claim.appid", "identity_claim_appid_g", "Identity.claim.appid"),
    Column("upn", "string", "user principal name", "identity.claim.upn", "identity_claim_upn_s", "Identity.claim.upn"),
    Column("managed_identity_id", "string", "resource id of the managed identity", "identity.claim.xms_mirid", "identity_claim_xms_mirid_s", "Identity.claim.xms_mirid"),
    Column("tenant_id", "string", "tenant of the token or record; never Log Analytics' TenantId, which is the workspace"),
    Column("token_ip", "string", "address that the token was issued to", "identity.claim.ipaddr", "identity_claim_ipaddr_s", "Identity.claim.ipaddr"),
    Column("auth_methods", "string", "how the user signed in", "identity.claim.amr", "identity_claim_amr_s", "Identity.claim.amr"),
    Column("token_id", "string", "id of the token", "identity.claim.uti", "identity_claim_uti_s", "Identity.claim.uti"),
    Column("client_info", "string", "user agent, verbatim; the caller chose it", "properties.clientInfo", "clientInfo_s", "ClientInfo"),
    Column("client", "string", "what the user agent says it is"),
    Column("client_version", "string", "version that the user agent claims"),
    Column("client_os", "string", "operating system that the user agent claims"),
    Column("request_uri", "string", "URI of the request", "properties.requestUri", "requestUri_s", "RequestUri"),
    Column("api_version", "string", "version of the REST interface", "operationVersion", "OperationVersion", "OperationVersion"),
    Column("object_type", "string", "`key`, `deleted_key`, `role_assignment`, `role_definition`, `backup`, `restore`, `security_domain`, `setting`, …, from the URI"),
    Column("key", "string", "which key: `<hsm>/<key_name>`, with nothing before the slash where the HSM is not known. Questions and rules go by it"),
    Column("key_name", "string", "name of the key, from the URI: in small letters, percent escapes decoded; `request_uri` has the spelling"),
    Column("key_version", "string", "version of the key, from the URI"),
    Column("scope", "string", "scope of a role assignment or definition, spelled as key names are: `/`, `/keys`, `/keys/<name>`"),
    Column("assignment_id", "string", "id of the role assignment, from the URI"),
    Column("role_definition_id", "string", "id of the role definition, from the URI"),
    Column("job_id", "string", "id of a backup or restore job, from the URI"),
    Column("setting", "string", "name of the setting, from the URI"),
    Column("correlation_id", "string", "correlation id; the client may choose it, so it is no key", "correlationId", "CorrelationId", "CorrelationId"),
    Column("subnet_id", "string", "subnet of the caller", "properties.subnetId", "subnetId_s", "SubnetId"),
    Column("private_endpoint_id", "string", "private endpoint of the caller", "properties.privateEndpointId", "privateEndpointId_s", ""),
    Column("trusted_service", "string", "first-party service that was let past the firewall", "properties.trustedService", "trustedService_s", "TrustedService"),
    Column("tls_version", "string", "TLS version", "properties.tlsVersion", "tlsVersion_s", "Tlsversion"),
    Column("pool_name", "string", "PoolName, verbatim; not the name of the HSM", "PoolName", "PoolName_s", "HsmPoolResourceId"),
    Column("identity_json", "string", "all the claims, as the source wrote them", "identity", "identity_claim_*", "Identity"),
    Column("properties_json", "string", "all the properties, as the source wrote them", "properties", "*_s, *_d, *_b, *_g", "*"),
    Column("route", "string", "how the record came: `storage`, `azure_diagnostics`, `azkv_audit_logs`, `event_hub`"),
    Column("evidence_id", "string", "the evidence file"),
    Column("source_file", "string", "its path in the case's evidence folder"),
    Column("source_line", "int", "line on which the record starts, from 1"),
    Column("source_offset", "int", "byte at which it starts, in the decompressed file"),
    Column("source_length", "int", "its length in bytes"),
)  # fmt: skip

ROUTES = ("storage", "azure_diagnostics", "azkv_audit_logs", "event_hub")

REJECTS = (
    Column("event_id", "string", "evidence and byte, as if it were an event"),
    Column("evidence_id", "string", "the evidence file"),
    Column("source_file", "string", "its path in the case's evidence folder"),
    Column("source_line", "int", "line on which the rejected bytes start, from 1"),
    Column("source_offset", "int", "byte at which they start, in the decompressed file"),
    Column("source_length", "int", "their length in bytes"),
    Column("reason", "string", "why it is no event, by a name of docs/rejects.md; behind a colon there may be more"),
    Column("raw", "binary", "the bytes, at most the first 64 KiB of them; the evidence has the rest"),
)  # fmt: skip

_PLACE = tuple(
    column for column in EVENTS
    if column.name in {"evidence_id", "source_file", "source_line", "source_offset", "source_length"}
)  # fmt: skip

DUPLICATES = (
    Column("event_id", "string", "the record that came again"),
    Column("duplicate_of", "string", "the event whose bytes it equals"),
    *_PLACE,
)  # fmt: skip

# Context: what other logs and lists say of the same people and things. A column that events have, too, has the same name and
# meaning here, so that both join on it.
_WHEN = (
    Column("event_id", "string", "evidence and byte; unique in the case"),
    Column("record_id", "string", "32 hex digits of a SHA-256 over the record's bytes"),
    Column("time", "timestamp", "when it happened, UTC"),
    Column("t", "int", "the same instant, microseconds since 1970-01-01T00:00Z"),
    Column("time_text", "string", "the time as the source wrote it"),
    Column("source", "string", "the table or category that the record names, verbatim"),
)
# An entry of a list has no time: the list says what was so when it was made.
_LISTED = (
    _WHEN[0], _WHEN[1],
    Column("source", "string", "what the entry says it is, verbatim; of an address `list`, `named_location` or `service_tags`"),
)  # fmt: skip
_WHO = (
    Column(
        "principal",
        "string",
        "best label of who did it: user name, else name of the application or identity, else an id",
    ),
    Column("principal_type", "string", "`user`, `service_principal`, `managed_identity`, `unknown`"),
    Column("object_id", "string", "object id of the principal"),
    Column("app_id", "string", "application (client) id"),
    Column("upn", "string", "user principal name"),
    Column("tenant_id", "string", "tenant of the principal; never Log Analytics' TenantId, which is the workspace"),
    Column("caller_ip", "string", "address of the caller, without port and brackets"),
    Column("ip_scope", "string", "`public`, `private`, `cgnat`, `loopback`, `reserved`, `invalid`"),
    Column("correlation_id", "string", "correlation id, verbatim"),
    Column("client_info", "string", "user agent, verbatim; the caller chose it"),
)
_WHOLE = (Column("record_json", "string", "all the fields, as the source wrote them"), *_PLACE)

CONTEXT = {
    "activity": (
        *_WHEN,
        Column("operation", "string", "operation of the control plane, verbatim"),
        Column("category", "string", "`Administrative`, `Policy`, …, verbatim"),
        Column("level", "string", "`Informational`, `Warning`, …, verbatim"),
        Column("outcome", "string", "`success`, `accepted` (started), `denied`, `failure`, `unknown`, from the status"),
        Column("status", "string", "status, verbatim"),
        Column("sub_status", "string", "HTTP status in words, verbatim"),
        Column("hsm", "string", "name of the managed HSM that it is about, lower case, where the resource id names one"),
        Column("resource_id", "string", "resource id, lower case"),
        Column("action", "string", "the action that was authorised, verbatim"),
        Column("scope", "string", "the scope on which it was authorised, verbatim"),
        *_WHO,
        Column("token_id", "string", "id of the token"),
        *_WHOLE,
    ),
    "signins": (
        *_WHEN,
        Column("outcome", "string", "`success` (error code 0), `failure`, `unknown`"),
        Column("error_code", "string", "error code, verbatim; 0 is none"),
        Column("error", "string", "what the error means, verbatim"),
        *_WHO,
        Column("app_name", "string", "application that signed in, or with which a user did"),
        Column("resource", "string", "name of what the token is for"),
        Column("resource_app_id", "string", "application id of what the token is for"),
        Column("token_id", "string", "id of the token: joins the `token_id` of events"),
        Column("signin_id", "string", "id of the sign-in"),
        Column("credential_id", "string", "id of the secret or certificate of a service principal"),
        Column("credential_thumbprint", "string", "thumbprint of its certificate"),
        Column("auth_requirement", "string", "single-factor or multi-factor, verbatim"),
        Column("auth_protocol", "string", "`deviceCode`, `ropc`, …, verbatim"),
        Column("conditional_access", "string", "what conditional access made of it, verbatim"),
        Column("risk", "string", "risk that the service saw during the sign-in, verbatim"),
        Column("country", "string", "country by the service's own look-up, verbatim"),
        Column("city", "string", "city by the service's own look-up, verbatim"),
        *_WHOLE,
    ),
    "blob_requests": (
        *_WHEN,
        Column("operation", "string", "REST operation of the storage service, verbatim"),
        Column("outcome", "string", "`success` 2xx, `accepted` 202, `denied` 401/403, `failure` any other, `unknown`"),
        Column("http_status", "int", "HTTP status"),
        Column("status", "string", "status in words, verbatim"),
        Column("account", "string", "storage account"),
        Column("container", "string", "container, from the object's key or the URI"),
        Column("blob", "string", "blob, from the object's key or the URI"),
        Column("uri", "string", "URI without its query, which may hold a signature"),
        Column("auth_type", "string", "`OAuth`, `SAS`, `AccountKey`, …, verbatim"),
        Column("auth_hash", "string", "hash of the token or signature: the same for each use of a SAS"),
        *_WHO,
        Column("caller_port", "int", "port of the caller"),
        Column("client_request_id", "string", "request id that the client chose"),
        Column("tls_version", "string", "TLS version"),
        Column("sent_bytes", "int", "bytes of the answer's body"),
        Column("received_bytes", "int", "bytes of the request's body"),
        Column("source_uri", "string", "from where a copy was made, without its query"),
        Column("destination_uri", "string", "to where, without its query"),
        *_WHOLE,
    ),
    "identities": (
        *_LISTED,
        Column("object_id", "string", "object id; of an application, that of its registration, which is no principal's"),
        Column("app_id", "string", "application (client) id"),
        Column("upn", "string", "user principal name"),
        Column("label", "string", "display name, else name, verbatim"),
        Column("kind", "string", "`user`, `service_principal`, `managed_identity`, `application`, `group`, `unknown`"),
        Column("enabled", "string", "`true` or `false` where the list says it"),
        Column("user_type", "string", "`Member` or `Guest`, verbatim"),
        Column("owner_tenant_id", "string", "tenant that the application or identity is of, where the list says it"),
        Column("resource_id", "string", "resource of a managed identity, lower case"),
        Column("created", "timestamp", "when it was created, UTC; null where the list leaves the zone open"),
        *_WHOLE,
    ),
    "role_assignments": (
        *_LISTED,
        Column("assignment_id", "string", "id of the role assignment: joins the `assignment_id` of events"),
        Column("object_id", "string", "object id of the principal"),
        Column("principal", "string", "name of the principal, verbatim"),
        Column("principal_type", "string", "`user`, `service_principal`, `group`, …"),
        Column("role_definition_id", "string", "id of the role, without the path before it"),
        Column("role_name", "string", "name of the role, verbatim"),
        Column("scope", "string", "where it holds, verbatim: `/`, `/keys`, `/keys/<name>`; a path of Azure for the control plane"),
        Column("created", "timestamp", "when it was created, UTC, where the list says it"),
        *_WHOLE,
    ),
    "address_ranges": (
        *_LISTED,
        Column("networks", "list", "networks in CIDR notation; a single address as /32 or /128"),
        Column("label", "string", "whose or what they are, verbatim; of a service tag, its name"),
        Column("address_class", "string", "class that the list gives, lower case (`corporate`, …); `trusted` of a named location"),
        Column("region", "string", "Azure region of a service tag"),
        Column("service", "string", "Azure service of a service tag"),
        Column("unreadable", "list", "texts beside the networks that are none, verbatim"),
        *_WHOLE,
    ),
}  # fmt: skip

PLACES = (
    Column("caller_ip", "string", "the address"),
    Column("country", "string", "country by the databases that were asked: ISO code, else name"),
    Column("city", "string", "city, in English"),
    Column("asn", "int", "number of the autonomous system"),
    Column("as_org", "string", "who runs the autonomous system"),
    Column("network", "string", "network that the first database with an answer gives it for"),
    Column("databases", "list", "type and build date of the databases that said so"),
)

FINDINGS = (
    Column("finding_id", "string", "`F01`, `F02`, …: in the order of the findings"),
    Column("rule_id", "string", "the rule that judged so"),
    Column("title", "string", "one line: what, who, how many"),
    Column("severity", "string", "`critical`, `high`, `medium`, `low`, `info`"),
    Column("confidence", "string", "`high`, `medium`, `low`: how sure the rule is of its reading"),
    Column("hsm", "string", "the managed HSM"),
    Column("first_time", "timestamp", "time of the first event, UTC"),
    Column("last_time", "timestamp", "time of the last event, UTC"),
    Column("principal", "string", "who"),
    Column("object_id", "string", "object id of the principal"),
    Column("caller_ip", "string", "from where; the most frequent address if there are several"),
    Column("keys", "list", "names of the keys concerned"),
    Column("events", "int", "number of events"),
    Column("event_ids", "list", "all of them"),
    Column("techniques", "list", "MITRE ATT&CK ids, in the numbering of v19"),
    Column("techniques_before", "list", "those of them that had another number before v19, in that one"),
    Column("why", "string", "why this matters"),
    Column("benign", "string", "what innocent activity looks the same"),
    Column("next_step", "string", "what to do next"),
)

NOTES = (
    Column("note_id", "string", "id of the note; a digest of what it says, who said it and when"),
    Column("time", "timestamp", "when it was written, UTC"),
    Column("by", "string", "who wrote it, as their machine knew them"),
    Column("kind", "string", "`tag`, `bookmark`, `comment`, `hypothesis`, `evidence`, `t0`, `answer`, `view`; `retraction`, `recovered`"),
    Column("text", "string", "its words; the tag, the title, the hypothesis, the answer"),
    Column("about", "list", "`event_id`s of the records that it is about"),
    Column("detail", "string", "JSON: comment of a tag, time of T0, question and state of an answer, question of a view, …"),
    Column("replaces", "string", "the note that it corrects"),
    Column("retracts", "string", "the note that it takes back"),
)  # fmt: skip

EVENT_NAMES = tuple(column.name for column in EVENTS)


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """Arrow schema of *columns*."""
    return pa.schema([(column.name, _TYPES[column.type]) for column in columns])


def empty(columns: Iterable[Column]) -> pa.Table:
    """Return a table of *columns* without a row."""
    return arrow_schema(columns).empty_table()


def to_pandas(table: pa.Table) -> pd.DataFrame:
    r"""Return *table* as pandas: aware UTC times, Arrow-backed strings, integers that know missing.

    Examples
    --------
    >>> to_pandas(pa.table({"principal": ["a\0b", "a\0c"]})).groupby("principal").size().tolist()
    [1, 1]
    """
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pa.timestamp("us", "UTC")))
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
    frame: pd.DataFrame = table.to_pandas(types_mapper=_pandas_types().get)
    return frame


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dicts with None for what is missing: other missing values neither equal nor differ.

    Examples
    --------
    >>> to_records(to_pandas(pa.table({"key_name": ["kek1", None], "http_status": [None, 200]})))
    [{'key_name': 'kek1', 'http_status': None}, {'key_name': None, 'http_status': 200}]
    """
    return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]


@cache
def _pandas_types() -> dict[pa.DataType, Any]:
    import pandas as pd

    text = pd.StringDtype("pyarrow")
    return {
        pa.string(): text, pa.large_string(): text, pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }  # fmt: skip


def to_markdown() -> str:
    """Render the data dictionary that docs/schema.md holds."""
    context = tuple((f"Context: {name}", columns) for name, columns in CONTEXT.items())
    tables = (
        ("Events", EVENTS),
        ("Rejects", REJECTS),
        ("Duplicates", DUPLICATES),
        *context,
        ("Places", PLACES),
        ("Findings", FINDINGS),
        ("Notes", NOTES),
    )
    return "\n".join(_section(title, columns) for title, columns in tables)


def _section(title: str, columns: tuple[Column, ...]) -> str:
    cells = [
        (f"`{c.name}`", c.type, c.meaning, *(_code(f) for f in (c.record, c.diagnostics, c.auditlogs))) for c in columns
    ]
    head = (
        "| column | type | meaning | storage record | AzureDiagnostics | AZKVAuditLogs |\n|---|---|---|---|---|---|\n"
    )
    if not any(c.record for c in columns):
        head, cells = "| column | type | meaning |\n|---|---|---|\n", [row[:3] for row in cells]
    return f"## {title}\n\n{head}" + "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _code(field: str) -> str:
    return f"`{field}`" if field else ""
