"""Context: what other logs and lists say of the same people and things."""

from __future__ import annotations

from ._column import Column
from ._events import PLACE

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
    Column("actor", "string", "who: object id, else application id, else the user name in small letters, as in events"),
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
_WHOLE = (Column("record_json", "string", "all the fields, as the source wrote them"), *PLACE)

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
    "role_definitions": (
        *_LISTED,
        Column("role_definition_id", "string", "id of the role, lower case: joins that of `role_assignments` and of events"),
        Column("role_name", "string", "name of the role, verbatim"),
        Column("role_type", "string", "`AKVBuiltInRole` or `CustomRole`, verbatim"),
        Column("description", "string", "what the list says that it is for, verbatim"),
        Column("scopes", "list", "where it may be assigned, verbatim"),
        Column(
            "permissions",
            "string",
            "its blocks as JSON, each with `actions`, `notActions`, `dataActions`, `notDataActions`; null where one of them "
            "can't be read",
        ),
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
