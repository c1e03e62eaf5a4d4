"""The columns of events, and the order in which events stand."""

from __future__ import annotations

from typing import Final

from ._column import Column

# Times are stored as UTC without a zone, because SQL engines shift zoned times to the zone of the session;
# they are handed to pandas with the zone. Strings are Arrow strings: pandas' object columns merge values
# that differ only after a NUL.
EVENTS = (
    Column("event_id", "string", "the request, by the id of the record that says most of it: evidence and byte; opaque, unique in the case, the same after every rebuild"),
    Column("record_id", "string", "32 hex digits of a SHA-256 over time, resource, request, answer, caller and ids: by it records are found that may say the same"),
    Column("time", "timestamp", "when the service logged the request, UTC", "time", "TimeGenerated", "TimeGenerated"),
    Column("t", "int", "the same instant, microseconds since 1970-01-01T00:00Z"),
    Column("tick", "int", "what `t` lacks of the instant, in steps of 100 ns: 0 to 9"),
    Column("precision", "int", "how finely the source wrote the time, in steps of 100 ns: 1, 10,000 (ms), 10,000,000 (s), 600,000,000 (min)"),
    Column("time_text", "string", "the time as the source wrote it", "time", "TimeGenerated", "TimeGenerated"),
    Column("hsm", "string", "name of the managed HSM, lower case, from the resource id", "resourceId", "_ResourceId", "_ResourceId"),
    Column("resource_id", "string", "resource id, lower case", "resourceId", "_ResourceId", "_ResourceId"),
    Column("subscription_id", "string", "subscription, from the resource id"),
    Column("resource_group", "string", "resource group, from the resource id"),
    Column("resource_type", "string", "`managedhsms`, `vaults`, …, from the resource id"),
    Column("operation", "string", "name of the operation, verbatim", "operationName", "OperationName", "OperationName"),
    Column("act", "string", "what was asked for, whatever it is called: a name of the vocabulary, by path and status first and by the name second; several parted by `|`, the gravest first, where the record fits each"),
    Column("known_by", "string", "what says so: `both` name and route, `route`, `name`, `contradiction` (they disagree, and `act` has both), `nothing`"),
    Column("operation_class", "string", "what kind of operation the act is"),
    Column("effect", "string", "what it does if it succeeds: `read`, `use`, `change`, `export`, `destroy`, `unknown`; of several acts each once, parted by `|`, the gravest first"),
    Column("operation_status", "string", "how well the name is known: `documented`, `expected`, `unseen`"),
    Column("class_by_uri", "string", "the class that path and status alone give: a second, independent witness"),
    Column("outcome", "string", "`success` 200/201/204, `accepted` 202, `denied` 401/403, `failure` any other, `unknown`"),
    Column("http_status", "int", "HTTP status", "properties.httpStatusCode", "httpStatusCode_d", "HttpStatusCode"),
    Column("result_type", "string", "verbatim; says Success on refused requests too", "resultType", "ResultType", "ResultType"),
    Column("result_signature", "string", "reason phrase, verbatim", "resultSignature", "ResultSignature", "ResultSignature"),
    Column("result_description", "string", "verbatim; the reason of a refusal", "resultDescription", "ResultDescription", "ResultDescription"),
    Column("denied_action", "string", "the right that was missing, as roles name it, from the text of a denial"),
    Column("denied_scope", "string", "the scope at which it was missing, from the text of a denial"),
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
    Column("source_number", "int", "its number among the records at that place, from 1: those without bytes of their own have the place of what encloses them"),
)  # fmt: skip

ROUTES = ("storage", "azure_diagnostics", "azkv_audit_logs", "event_hub")

# The order of events: the tick of 100 ns, then the file and the place in it. Of a file its id, which no name that was taken changes.
ORDER = ("t", "tick", "evidence_id", "source_offset", "source_number", "event_id")

EVENT_NAMES = tuple(column.name for column in EVENTS)

PLACE: Final = tuple(
    column for column in EVENTS
    if column.name in {"evidence_id", "source_file", "source_line", "source_offset", "source_length"}
)  # fmt: skip
