"""The registry that is shipped."""

from cnnlab.data.registry import read_cifar10


def test_cifar10_comes_from_its_home_with_a_checksum_each():
    entry = read_cifar10()
    for archive in (entry.binary, entry.python):
        assert archive.url.startswith("https://www.cs.toronto.edu/~kriz/")
        algorithm, _, digits = archive.checksum.partition(":")
        assert algorithm == "md5" and len(bytes.fromhex(digits)) == 16
    assert entry.binary.file_name == "cifar-10-binary.tar.gz"
    assert entry.binary.checksum != entry.python.checksum
    assert 5 * entry.images_per_file - entry.validation == 45_000
