-- More that a search finds: heads of proof chains, who did a thing once, and keys of before.

-- By hash: it is asked for one value at a time, and takes a third of the space for each proof.
CREATE INDEX proofs_head ON proofs USING hash (proof_head);

-- Tables that grow slowly.
CREATE INDEX node_terms_payout ON node_terms (payout, position);
CREATE INDEX node_terms_fee_payer ON node_terms (fee_payer, position);
CREATE INDEX payout_locks_before ON payout_locks (payout_before, position);
CREATE INDEX stake_moves_position ON stake_moves (staker_position, position);
CREATE INDEX cases_arbiter ON cases (arbiter, case_account);
CREATE INDEX cases_decided_by ON cases (decided_by, case_account) WHERE decided_by IS NOT NULL;
CREATE INDEX leases_ended_by ON leases (ended_by, lease) WHERE ended_by IS NOT NULL;
CREATE INDEX approvals_signer ON approvals (signer, position);
CREATE INDEX disputes_signer ON disputes (signer, position);
CREATE INDEX defences_signer ON defences (signer, position);
CREATE INDEX network_changes_before ON network_changes (before);
CREATE INDEX network_changes_after ON network_changes (after);
