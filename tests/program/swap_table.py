"""What `test_swaps` exchanges, and which refusal it expects."""

from __future__ import annotations

# What the same slot of the second supplier or renter is refused with; for a slot that `init` creates, his existing one.
SIBLINGS: dict[str, dict[str, str]] = {
    "init_network": {
        "authority": "NotUpgradeAuthority",
        "program_data": "WrongProgramData",
        "io_mint": "ConstraintDuplicateMutableAccount",
        "iosd_mint": "ConstraintDuplicateMutableAccount",
        "usdc_mint": "BadMint",
        "genesis_account": "InvalidSeeds",
    },
    "init_vaults": {"mint": "InvalidSeeds", "fee_vault": "InvalidSeeds", "burn_vault": "InvalidSeeds"},
    "register_model": {"authority": "NotAuthority", "model": "InvalidSeeds"},
    "set_pause": {"pauser": "NotPauser"},
    "propose_params": {"authority": "NotAuthority"},
    "propose_role": {"authority": "NotAuthority"},
    "apply_pending": {"caller": "NotPendingAuthority"},
    "set_model": {"authority": "NotAuthority"},
    "migrate_network": {},
    "open_case": {"arbiter": "NotArbiter", "node": "InvalidSeeds", "case": "InvalidSeeds"},
    "appeal_case": {"owner": "NotNodeOwner", "node": "NotNodeOwner", "case": "WrongCase"},
    "decide_case": {
        "authority": "NotArbiter",
        "node": "WrongCase",
        "case": "WrongCase",
        "arbiter": "WrongRentPayer",
        "stake_vault": "InvalidSeeds",
        "burn_vault": "InvalidSeeds",
    },
    "register_node": {
        "device_key": "InvalidSeeds",
        "model": "InvalidSeeds",
        "node": "InvalidSeeds",
        "io_mint": "WrongMint",
        "stake_vault": "InvalidSeeds",
    },
    "update_node": {"owner": "NotNodeOwner", "node": "NotNodeOwner"},
    "rotate_device_key": {"owner": "NotNodeOwner", "node": "NotNodeOwner"},
    "pause_node": {"owner": "NotNodeOwner", "node": "NotNodeOwner"},
    "retire_node": {"owner": "NotNodeOwner", "node": "NotNodeOwner", "position": "WrongPosition"},
    "stake": {
        "staker": "InvalidSeeds",
        "node": "InvalidSeeds",
        "position": "InvalidSeeds",
        "stake_vault": "InvalidSeeds",
        "from": "WrongTokenOwner",
    },
    "request_unbond": {"staker": "WrongPosition", "node": "WrongPosition", "position": "WrongPosition"},
    "withdraw": {
        "node": "WrongPosition",
        "position": "WrongPosition",
        "staker": "WrongPosition",
        "stake_vault": "InvalidSeeds",
        "to": "NotAssociatedAccount",
    },
    "mint_iosd": {
        "wallet": "WrongTokenOwner",
        "io_mint": "ConstraintDuplicateMutableAccount",
        "iosd_mint": "ConstraintDuplicateMutableAccount",
        "from": "WrongTokenOwner",
        "to": "WrongTokenMint",
        "price_update": "OracleWrongOwner",
    },
    "open_cluster": {
        "renter": "InvalidSeeds",
        "renter_account": "InvalidSeeds",
        "cluster": "InvalidSeeds",
        "mint": "CurrencyNotSupported",
        "escrow": "InvalidSeeds",
        "from": "WrongTokenOwner",
    },
    "set_session_key": {"renter": "NotRenter", "cluster": "NotRenter"},
    "withdraw_budget": {
        "renter": "NotRenter",
        "cluster": "NotRenter",
        "escrow": "InvalidSeeds",
        "to": "NotAssociatedAccount",
    },
    "add_lease": {
        "renter": "NotRenter",
        "cluster": "NotRenter",
        "node": "InvalidSeeds",
        "model": "WrongModel",
        "lease": "InvalidSeeds",
    },
    "mark_ready": {"device_key": "NotDeviceKey", "node": "NotDeviceKey", "lease": "WrongNode"},
    "accept_ready": {"authority": "NotRenterOrSession", "cluster": "WrongCluster", "lease": "WrongCluster"},
    "append_proof": {"device_key": "NotDeviceKey", "node": "NotDeviceKey", "lease": "WrongNode"},
    "extend_lease": {
        "renter": "NotRenter",
        "cluster": "NotRenter",
        "node": "WrongNode",
        "model": "WrongModel",
        "lease": "WrongCluster",
    },
    "end_lease": {
        "authority": "NotSupplierFault",
        "cluster": "WrongCluster",
        "node": "WrongNode",
        "lease": "WrongCluster",
    },
    "quit_lease": {
        "owner": "NotNodeOwner",
        "cluster": "WrongCluster",
        "node": "NotNodeOwner",
        "lease": "WrongCluster",
        "stake_vault": "InvalidSeeds",
        "burn_vault": "InvalidSeeds",
        "renter_io": "NotAssociatedAccount",
    },
    "settle_lease": {
        "node": "WrongNode",
        "cluster": "WrongCluster",
        "lease": "WrongCluster",
        "escrow": "InvalidSeeds",
        "payout_account": "NotAssociatedAccount",
    },
    "cancel_lease": {
        "cluster": "WrongCluster",
        "node": "WrongNode",
        "lease": "WrongCluster",
        "stake_vault": "InvalidSeeds",
        "burn_vault": "InvalidSeeds",
    },
    "report_missed": {
        "cluster": "WrongCluster",
        "node": "WrongNode",
        "lease": "WrongCluster",
        "stake_vault": "InvalidSeeds",
        "burn_vault": "InvalidSeeds",
        "renter_io": "NotAssociatedAccount",
        "reporter_io": "WrongTokenOwner",
    },
    "close_lease": {
        "cluster": "WrongCluster",
        "node": "WrongNode",
        "lease": "WrongCluster",
        "renter": "WrongRentPayer",
    },
    "close_cluster": {
        "renter": "WrongRentPayer",
        "renter_account": "WrongRenterAccount",
        "cluster": "WrongRentPayer",
        "escrow": "InvalidSeeds",
        "refund_to": "NotAssociatedAccount",
        "fee_vault": "InvalidSeeds",
        "burn_vault": "InvalidSeeds",
    },
    "burn": {"mint": "WrongMint", "burn_vault": "InvalidSeeds"},
}

# There is one of each: what is refused is the same bytes at another address, or another program.
SINGLETONS = {"network": "InvalidSeeds", "iosd": "InvalidSeeds", "event_authority": "InvalidSeeds"}
PROGRAMS = {
    "token_program": "IncorrectProgramId",
    "system_program": "IncorrectProgramId",
    "associated_token_program": "IncorrectProgramId",
    "program": "MissingAccount",  # the runtime does not find the program that records the event
}
# Slots that anybody may fill with himself.
FREE = {
    ("init_network", "genesis_owner"): "any wallet, chosen by the authority; the account beside it must be his",
    ("init_vaults", "payer"): "anyone pays",
    ("set_model", "model"): "the authority stops any model",
    ("register_node", "owner"): "whoever holds the device key may register it to any owner who signs",
    ("rotate_device_key", "new_device_key"): "any key that signs",
    ("report_missed", "reporter"): "anyone reports; the account beside it must be his",
}
# Where Solana's own programs answer, or a slot is not read before it fails.
SPECIAL = {
    ("init_network", "genesis_account", "read-only"): "ProgramFailedToComplete",
    ("stake", "position", "type"): "ConstraintSpace",
    ("open_cluster", "renter_account", "type"): "ConstraintSpace",
    ("stake", "position", "absent"): "InvalidSeeds",
    ("open_cluster", "renter_account", "absent"): "InvalidSeeds",
    ("close_cluster", "renter", "unsigned"): "ClusterNotIdle",
}
