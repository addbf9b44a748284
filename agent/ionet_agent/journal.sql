-- The agent's journal (SQLite): its tables, then each statement by name.

-- name: schema
create table if not exists challenge (
    lease text, interval integer, signature blob not null, primary key (lease, interval)
) without rowid;
create table if not exists run (
    lease text, process text, first integer not null, last integer not null, primary key (lease, process)
) without rowid;
create table if not exists spool (lease text primary key, read integer not null) without rowid;
create table if not exists leaf (
    lease text, interval integer, position integer, task blob not null, result blob not null,
    primary key (lease, interval, position)
) without rowid;
create table if not exists proof (
    lease text, interval integer, final integer, served integer not null, root blob not null, leaves integer not null,
    head blob not null, raw blob not null, last_valid integer not null, landed integer not null default 0,
    uploaded integer not null default 0, primary key (lease, interval, final)
) without rowid;
-- Time before a lease was accepted: `spent` seconds, and since `since` again, null while no member is there.
create table if not exists opening (lease text primary key, spent real not null default 0, since real) without rowid;

create table if not exists reserve (data blob not null);

-- name: put_reserve
insert into reserve values (zeroblob(:size))

-- name: shuffle_reserve
update reserve set data = randomblob(:size)

-- name: drop_reserve
delete from reserve

-- name: put_challenge
-- One that comes after the interval's last proof was signed is not in it: it could not be shown.
insert or ignore into challenge select :lease, :interval, :signature
where not exists (select 1 from proof where lease = :lease and interval = :interval and final)

-- name: challenge
select signature from challenge where lease = :lease and interval = :interval

-- name: seen_up
insert into run values (:lease, :process, :now, :now) on conflict do update set last = max(last, excluded.last)

-- name: runs_within
select max(first, :start), min(last, :end) from run where lease = :lease

-- name: open
-- A clock that went back has started again.
insert into opening (lease, since) values (:lease, :now)
on conflict do update set since = excluded.since where since is null or since > excluded.since

-- name: shut
update opening set spent = spent + max(:now - since, 0), since = null where lease = :lease and since is not null

-- name: opened
select lease from opening where since is not null

-- name: open_secs
select spent + coalesce(max(:now - since, 0), 0) from opening where lease = :lease

-- name: spool_read
select read from spool where lease = :lease

-- name: set_spool_read
insert into spool values (:lease, :read) on conflict do update set read = excluded.read

-- name: count_leaves
select count(*) from leaf where lease = :lease and interval = :interval

-- name: add_leaf
insert into leaf values (:lease, :interval, :position, :task, :result)

-- name: move_leaves
update leaf set interval = :to, position = position + :shift
where lease = :lease and interval = :interval and position >= :keep

-- name: leaves
select task, result from leaf where lease = :lease and interval = :interval order by position limit :count

-- name: put_proof
insert into proof (lease, interval, final, served, root, leaves, head, raw, last_valid)
values (:lease, :interval, :final, :served, :root, :leaves, :head, :raw, :last_valid)

-- name: open_proof
select lease, interval, final, served, root, leaves, head, raw, last_valid from proof
where lease = :lease and not landed order by interval desc, final desc limit 1

-- name: last_landed
select lease, interval, final, served, root, leaves, head, raw, last_valid from proof
where lease = :lease and landed order by interval desc, final desc limit 1

-- name: landed_proofs
select lease, interval, final, served, root, leaves, head, raw, last_valid from proof
where lease = :lease and landed order by interval, final

-- name: silent_intervals
select p.interval from proof p where p.lease = :lease and landed and final
    and not exists (select 1 from challenge c where c.lease = p.lease and c.interval = p.interval)
order by p.interval

-- name: landed
update proof set landed = 1 where lease = :lease and interval = :interval and final = :final

-- name: finish
update proof set final = 1 where lease = :lease and interval = :interval and landed

-- name: drop
delete from proof where lease = :lease and interval = :interval and final = :final and not landed

-- name: to_upload
-- Of each interval the last landed proof, once no other can follow.
select lease, interval, final, served, root, leaves, head, raw, last_valid from proof p
where landed and not uploaded
    and (final or exists (select 1 from proof n where n.lease = p.lease and n.landed and n.interval > p.interval))
    and not exists (
        select 1 from proof f
        where f.lease = p.lease and f.interval = p.interval and f.landed and f.final > p.final
    )
order by lease, interval

-- name: uploaded
update proof set uploaded = 1 where lease = :lease and interval = :interval and final = :final

-- name: leases
select lease from run union select lease from proof union select lease from challenge union select lease from opening

-- name: forget_challenges
delete from challenge where lease = :lease

-- name: forget_runs
delete from run where lease = :lease

-- name: forget_openings
delete from opening where lease = :lease

-- name: forget_spool
delete from spool where lease = :lease

-- name: forget_leaves
delete from leaf where lease = :lease

-- name: forget_proofs
delete from proof where lease = :lease
