"""The vocabulary: every row says where it is from, and what the name means is one of the words of the design."""

from mhsm_forensics.operations import SOURCES, meaning, vocabulary

CLASSES = {
    "crypto", "key_read", "key_lifecycle", "key_backup", "key_release", "hsm_backup", "hsm_restore", "security_domain",
    "access_control", "settings", "management", "authentication", "network",
}  # fmt: skip


def test_every_operation_has_its_source_and_words_of_the_design():
    for operation in vocabulary().values():
        assert operation.source in SOURCES
        assert operation.operation_class in CLASSES
        assert operation.effect in {"read", "use", "change", "export", "destroy"}
        assert operation.status in {"documented", "expected", "preview"}


def test_an_unknown_name_is_classified_by_its_uri_and_flagged():
    found = meaning("HsmCloneStart", "/securitydomain/download")

    assert (found.operation_class, found.operation_status) == ("security_domain", "unseen")
