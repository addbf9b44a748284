"""Addresses that the program derives, one function each. Pure.

Numbers in seeds are little endian. `program` is the ionet program's address.
"""

from __future__ import annotations

from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

UPGRADEABLE_LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
PYTH_RECEIVER = Pubkey.from_string("rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ")


def _find(program: Pubkey, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(seeds, program)[0]


def network(program: Pubkey) -> Pubkey:
    """Roles, mints and parameters."""
    return _find(program, b"network")


def iosd(program: Pubkey) -> Pubkey:
    """The books of IOSD."""
    return _find(program, b"iosd")


def io_mint(program: Pubkey) -> Pubkey:
    return _find(program, b"io_mint")


def iosd_mint(program: Pubkey) -> Pubkey:
    return _find(program, b"iosd_mint")


def model(program: Pubkey, code: int) -> Pubkey:
    """A device model by its code (u16)."""
    return _find(program, b"model", code.to_bytes(2, "little"))


def renter(program: Pubkey, wallet: Pubkey) -> Pubkey:
    """A renter's counter of clusters."""
    return _find(program, b"renter", bytes(wallet))


def node(program: Pubkey, first_device_key: Pubkey) -> Pubkey:
    """A node by the device key it was registered with; rotating the key does not move it."""
    return _find(program, b"node", bytes(first_device_key))


def position(program: Pubkey, node: Pubkey, staker: Pubkey) -> Pubkey:
    """A staker's shares in a node."""
    return _find(program, b"position", bytes(node), bytes(staker))


def cluster(program: Pubkey, renter: Pubkey, cluster_id: int) -> Pubkey:
    """A renter's cluster by its id (u64); renter is the wallet."""
    return _find(program, b"cluster", bytes(renter), cluster_id.to_bytes(8, "little"))


def lease(program: Pubkey, node: Pubkey, number: int) -> Pubkey:
    """A node's lease by its number (u64)."""
    return _find(program, b"lease", bytes(node), number.to_bytes(8, "little"))


def case(program: Pubkey, node: Pubkey, number: int) -> Pubkey:
    """A node's arbiter case by its number (u64)."""
    return _find(program, b"case", bytes(node), number.to_bytes(8, "little"))


def stake_vault(program: Pubkey, node: Pubkey) -> Pubkey:
    return _find(program, b"stake", bytes(node))


def escrow(program: Pubkey, cluster: Pubkey) -> Pubkey:
    return _find(program, b"escrow", bytes(cluster))


def fee_vault(program: Pubkey, mint: Pubkey) -> Pubkey:
    return _find(program, b"fees", bytes(mint))


def burn_vault(program: Pubkey, mint: Pubkey) -> Pubkey:
    return _find(program, b"burn", bytes(mint))


def owed(program: Pubkey, mint: Pubkey, owner: Pubkey) -> Pubkey:
    """What a wallet could not receive of a mint is kept here until it claims it."""
    return _find(program, b"owed", bytes(mint), bytes(owner))


def event_authority(program: Pubkey) -> Pubkey:
    """Signs the program's calls to itself that record events."""
    return _find(program, b"__event_authority")


def program_data(program: Pubkey) -> Pubkey:
    """Where the upgradeable loader keeps the code and its upgrade authority."""
    return _find(UPGRADEABLE_LOADER, bytes(program))


def token_account(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """The associated token account of a wallet (plain SPL token program)."""
    return get_associated_token_address(owner, mint)


def price_update(authority: Pubkey, feed_id: bytes) -> Pubkey:
    """Where the price poster of local chains keeps an authority's price of one feed."""
    return _find(PYTH_RECEIVER, b"price", bytes(authority), feed_id)
