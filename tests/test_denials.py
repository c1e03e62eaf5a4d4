"""The right and the scope that a denial names, and texts that only look like one."""

import pytest

from mhsm_forensics.normalise._denials import NO_DENIAL, Denial, denial_of

HSM = "Not authorized to access Microsoft.KeyVault/managedHsm"
RBAC = (
    "Caller is not authorized to perform action on resource.\nCaller: appid=a;oid=b;iss=c\n"
    "Action: 'Microsoft.KeyVault/managedHsm/keys/deletedKeys/delete'\nResource: '/deletedkeys/card-00'\nAssignment: (not found)"
)


@pytest.mark.parametrize(
    ("text", "action", "scope"),
    [
        (f"{HSM}/roleAssignments/read/action on / (Activity ID: 7d1f)", "roleAssignments/read/action", "/"),
        (f"{HSM}/keys/create on '/keys'", "keys/create", "/keys"),
        (f"{HSM}/keys/sign/action on /keys/card-00.", "keys/sign/action", "/keys/card-00."),
        (f"  {HSM.lower()}/keys/read/action on '/keys/card-00' (Activity ID: x)", "keys/read/action", "/keys/card-00"),
        (RBAC, "keys/deletedKeys/delete", "/deletedkeys/card-00"),
    ],
)
def test_right_and_scope_of_a_denial(text, action, scope):
    assert denial_of(text) == Denial(action, scope)


@pytest.mark.parametrize(
    "text",
    [
        None, "", 403, b"Not authorized",
        "Key not found: https://contoso.managedhsm.azure.net/deletedkeys/268212992 (Activity ID: 421e12c4)",
        f"Key not found: {HSM}/keys/create on '/keys'",  # a name that somebody chose
        f"{HSM}/keys/create on '/keys' OR 1=1 --'/x"[:60] + "\"",
        f"{HSM}/keys/<script>/action on /keys",
        f"{HSM}/keys/create on keys",
        "Not authorized to access Microsoft.KeyVault/vaults/secrets/getSecret/action on /",
        "Requested role assignment not found (Activity ID: 7d1f)",
    ],
)  # fmt: skip
def test_other_texts_name_no_right(text):
    assert denial_of(text) == NO_DENIAL


@pytest.mark.parametrize(
    "text", ["Action: '" * 100_000, "\n" * 1_000_000, f"{HSM}/{'a/' * 100_000}"], ids=["actions", "lines", "parts"]
)
def test_a_text_without_end_names_no_right(text):
    assert denial_of(text) == NO_DENIAL
