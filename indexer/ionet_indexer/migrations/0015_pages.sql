-- What an explorer's pages read: the log of a lease, a node's days, and indexes to find anything by.

-- A lease interval by interval, as far as it has come: what was proven, what came of a challenge, and which settlement
-- paid for it. `secs` are those that the supplier gets or waits for. `payment` is the settlement's position.
--
-- Amounts are cumulative in the order in which time was paid, so that those of one settlement add up to what it paid.
-- What is not paid yet comes after that. One row of `proofs` is read for an interval, however many there are.
CREATE FUNCTION lease_log(of_lease text) RETURNS TABLE (
    "interval" bigint, starts_at bigint, ends_at bigint, proof bigint, kept boolean, challenge text, secs bigint, amount numeric,
    payment bigint
) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH lease AS (
        SELECT l.*, least(l.ends_at, (SELECT time FROM newest)) AS until
        FROM leases l WHERE l.lease = of_lease AND l.started_at IS NOT NULL
    ), numbered AS (
        SELECT i::bigint AS number
        FROM lease l, generate_series(
            0, greatest((l.until - l.started_at + l.interval_secs - 1) / l.interval_secs, l.last_interval + 1) - 1
        ) i
    ), proven AS (
        SELECT n.number, p.position, p.kept, coalesce(p.served_secs, 0) AS served,
               sum(p.served_secs) OVER (ORDER BY n.number DESC) AS named
        FROM numbered n LEFT JOIN LATERAL (
            SELECT x.position, x.served_secs, x.kept FROM proofs x
            WHERE x.lease = of_lease AND x.interval = n.number ORDER BY x.position DESC LIMIT 1
        ) p ON true
    ), held AS (
        SELECT generate_series(d.from_interval, d.to_interval - 1) AS number, d.ended_at IS NULL AS open
        FROM dispute_outcomes d WHERE d.lease = of_lease
    ), opened AS (
        SELECT DISTINCT ON (f.interval) f.interval AS number, f.position, f.served_secs
        FROM defences f WHERE f.lease = of_lease AND f.defended ORDER BY f.interval, f.position
    ), judged AS (
        -- The last intervals of a lease that its supplier left are named, as many as the seconds that were burned.
        SELECT p.number, p.position, p.kept, o.position AS defended_at,
               CASE WHEN p.position IS NULL THEN NULL
                    WHEN p.named <= l.burned_secs THEN 'unchallenged'
                    WHEN o.position IS NOT NULL THEN 'defended'
                    WHEN h.open THEN 'disputed'
                    WHEN h.number IS NOT NULL THEN 'undefended'
                    WHEN p.number < l.approved_through THEN 'approved' END AS challenge,
               CASE WHEN p.named <= l.burned_secs THEN 0
                    WHEN o.position IS NOT NULL THEN least(o.served_secs, p.served)
                    WHEN h.number IS NOT NULL AND NOT h.open THEN 0
                    ELSE p.served END AS secs
        FROM proven p CROSS JOIN lease l LEFT JOIN held h ON h.number = p.number LEFT JOIN opened o ON o.number = p.number
    ), counted AS (
        SELECT x.position, x.payable_secs, sum(x.defended_secs) OVER (ORDER BY x.position) AS defended_secs
        FROM (
            SELECT p.position, p.payable_secs, 0 AS defended_secs FROM payments p WHERE p.lease = of_lease
            UNION ALL SELECT j.defended_at, NULL, j.secs FROM judged j WHERE j.defended_at IS NOT NULL
        ) x
    ), matured AS (
        -- Time that nobody disputed is paid in its order; what was defended comes on top, from its defence on.
        SELECT j.number, NULL::bigint AS payment, sum(j.secs) OVER (ORDER BY j.number) AS through
        FROM judged j WHERE j.secs > 0 AND j.defended_at IS NULL AND j.challenge IS DISTINCT FROM 'disputed'
        UNION ALL
        SELECT NULL, c.position, c.payable_secs - c.defended_secs FROM counted c WHERE c.payable_secs IS NOT NULL
    ), settled AS (
        SELECT m.number, min(m.payment) OVER (ORDER BY m.through DESC, m.payment NULLS LAST) AS payment FROM matured m
    ), found AS (
        SELECT j.*, coalesce(s.payment, d.position) AS payment
        FROM judged j LEFT JOIN settled s ON s.number = j.number
        LEFT JOIN LATERAL (
            SELECT p.position FROM payments p
            WHERE p.lease = of_lease AND p.position > j.defended_at ORDER BY p.position LIMIT 1
        ) d ON j.secs > 0
    ), summed AS (
        SELECT f.*, sum(f.secs) OVER (ORDER BY f.payment, f.number) AS through FROM found f
    )
    SELECT s.number, l.started_at + s.number * l.interval_secs,
           least(l.started_at + (s.number + 1) * l.interval_secs, l.ends_at), s.position, s.kept, s.challenge, s.secs,
           div(l.price * l.processors * s.through, 3600) - div(l.price * l.processors * (s.through - s.secs), 3600),
           s.payment
    FROM summed s CROSS JOIN lease l
$$;

-- What a wallet came to, and what a node did on a day (UTC): sums that triggers keep in step with the other tables.
CREATE TABLE account_totals (
    wallet text NOT NULL,
    name text NOT NULL,
    key text NOT NULL,                         -- a currency, or empty
    value numeric NOT NULL,
    PRIMARY KEY (wallet, name, key)
);
CREATE TABLE node_days (
    node text NOT NULL,
    day bigint NOT NULL,                       -- since 1970
    name text NOT NULL,
    key text NOT NULL,                         -- a currency, or empty
    value numeric NOT NULL,
    PRIMARY KEY (node, day, name, key)
);

-- Of the tables without updates here, nothing that counts changes.
CALL keep_sums('account_totals', 'wallet, name, key', 'nodes', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.owner, 'nodes', '', 1::numeric), (r.owner, 'processors', '', r.processors)
    ) v (wallet, name, key, value)
$$, '{insert,delete}');
CALL keep_sums('account_totals', 'wallet, name, key', 'clusters', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.renter, 'clusters', '', 1::numeric), (r.renter, 'deposit', r.currency, r.deposit),
               (r.renter, 'spent', r.currency, r.paid), (r.renter, 'fees', r.currency, r.fees - r.burned),
               (r.renter, 'burned', r.currency, r.burned), (r.renter, 'refunded', r.currency, r.refunded)
    ) v (wallet, name, key, value)
$$, '{insert,delete,update}');
CALL keep_sums('account_totals', 'wallet, name, key', 'leases', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.renter, 'leases_rented', '', 1::numeric), (r.owner, 'leases_served', '', 1),
               (r.renter, 'leases_rented_active', '', CASE WHEN r.status = 'active' THEN 1 ELSE 0 END),
               (r.owner, 'leases_served_active', '', CASE WHEN r.status = 'active' THEN 1 ELSE 0 END),
               (r.owner, 'earned', r.currency, r.paid)
    ) v (wallet, name, key, value)
$$, '{insert,delete,update}');
CALL keep_sums('account_totals', 'wallet, name, key', 'cases', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.owner, 'cases', '', 1::numeric)
    ) v (wallet, name, key, value)
$$, '{insert,delete}');
CALL keep_sums('account_totals', 'wallet, name, key', 'positions', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.staker, 'stakes', '', CASE WHEN r.closed THEN 0 ELSE 1 END::numeric),
               (r.staker, 'staked', 'IO', r.staked), (r.staker, 'withdrawn', 'IO', r.withdrawn)
    ) v (wallet, name, key, value)
$$, '{insert,delete,update}');
CALL keep_sums('account_totals', 'wallet, name, key', 'payments', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.payout, 'received', r.currency, r.supplier_amount + r.bond - r.to_stakers)
    ) v (wallet, name, key, value)
$$, '{insert,delete}');
CALL keep_sums('account_totals', 'wallet, name, key', 'rewards', $$
    SELECT r.wallet, 'rewards', 'IO', r.sign * r.amount FROM r WHERE r.kind = 'claimed'
$$, '{insert,delete}');
CALL keep_sums('account_totals', 'wallet, name, key', 'income', $$
    SELECT r.wallet, 'income', r.currency, r.sign * r.amount FROM r WHERE r.kind = 'claimed'
$$, '{insert,delete}');
CALL keep_sums('account_totals', 'wallet, name, key', 'mints', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.wallet, 'burned_for_iosd', 'IO', r.io_burned), (r.wallet, 'minted', 'IOSD', r.iosd_minted)
    ) v (wallet, name, key, value)
$$, '{insert,delete}');
CALL keep_sums('account_totals', 'wallet, name, key', 'redemptions', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.wallet, 'redeemed', 'IOSD', r.iosd_burned), (r.wallet, 'redeemed_for', 'IO', r.io_minted)
    ) v (wallet, name, key, value)
$$, '{insert,delete}');
CALL keep_sums('account_totals', 'wallet, name, key', 'buybacks', $$
    SELECT v.wallet, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.seller, 'sold', 'IO', r.io_burned), (r.seller, 'sold_for', 'USDC', r.usdc_paid)
    ) v (wallet, name, key, value)
$$, '{insert,delete}');
CALL keep_sums('node_days', 'node, day, name, key', 'proofs', $$
    SELECT g.node, g.day, v.name, '', v.value
    FROM (
        SELECT r.node, r.at / 86400 AS day, sum(r.sign) AS proofs, sum(r.sign) FILTER (WHERE r.served_before = 0) AS proven,
               sum(r.sign) FILTER (WHERE r.kept_first) AS kept, sum(r.sign * (r.served_secs - r.served_before)) AS served
        FROM r GROUP BY 1, 2
    ) g, LATERAL (
        VALUES ('proofs', g.proofs), ('intervals_proven', g.proven), ('intervals_kept', g.kept), ('served_secs', g.served)
    ) v (name, value)
$$, '{insert,delete}');
CALL keep_sums('node_days', 'node, day, name, key', 'payments', $$
    SELECT v.node, v.day, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.node, r.at / 86400, 'settlements', r.currency, 1::numeric),
               (r.node, r.at / 86400, 'earned', r.currency, r.amount),
               (r.node, r.at / 86400, 'supplier', r.currency, r.supplier_amount),
               (r.node, r.at / 86400, 'to_stakers', r.currency, r.to_stakers)
    ) v (node, day, name, key, value)
$$, '{insert,delete}');
CALL keep_sums('node_days', 'node, day, name, key', 'slashes', $$
    SELECT v.node, v.day, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.node, r.at / 86400, 'slashes', '', 1::numeric), (r.node, r.at / 86400, 'slashed', '', r.amount)
    ) v (node, day, name, key, value)
$$, '{insert,delete}');
CALL keep_sums('node_days', 'node, day, name, key', 'stake_moves', $$
    SELECT v.node, v.day, v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES (r.node, r.at / 86400, CASE r.kind WHEN 'stake' THEN 'staked' WHEN 'refill' THEN 'refilled'
                WHEN 'unbond' THEN 'unbonding' ELSE 'withdrawn' END, '', r.amount)
    ) v (node, day, name, key, value)
$$, '{insert,delete}');
