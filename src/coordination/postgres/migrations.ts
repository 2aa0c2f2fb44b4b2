/**
 * Tables and functions of what nodes agree on, numbered and append-only. A step adds what older builds do not miss: a
 * function that is to do something else gets another number in its name, so nodes of two versions go on side by side.
 *
 * UNLOGGED: written to no WAL, and empty after a crash; nobody loses data by it.
 */

/** @param schema as it stands in SQL, quoted */
export function migrations (schema: string): readonly string[] {
  return [tables(schema) + draw(schema) + tickets(schema) + enter(schema) + report(schema)]
}

function tables (schema: string): string {
  return `
create unlogged table ${schema}.coordination_accounts (account text primary key, per_minute float8 not null, rest float8 not null, at timestamptz not null);
create unlogged table ${schema}.coordination_tickets (hash text primary key, owner text not null, content text not null, made bigint generated always as identity, until timestamptz not null);
create index on ${schema}.coordination_tickets (owner, made);
create index on ${schema}.coordination_tickets (until);
create unlogged table ${schema}.coordination_nodes (node text primary key, until timestamptz not null, whole boolean not null);
create unlogged table ${schema}.coordination_streams (owner text, node text references ${schema}.coordination_nodes on delete cascade, streams integer not null, primary key (owner, node));
create index on ${schema}.coordination_streams (node);
create unlogged table ${schema}.coordination_orders (id bigint generated always as identity primary key, node text not null, content text not null, until timestamptz not null);
create index on ${schema}.coordination_orders (node, id);
create function ${schema}.coordination_sweep_1 () returns void language sql as $$
  delete from ${schema}.coordination_accounts where rest + extract(epoch from clock_timestamp() - at)::float8 / 60 * per_minute >= per_minute;
  delete from ${schema}.coordination_nodes where until < clock_timestamp() - interval '1 minute';
  delete from ${schema}.coordination_orders where until < clock_timestamp();
  delete from ${schema}.coordination_tickets where until < clock_timestamp();
$$;`
}

/** Accounts come sorted: who locks rows in one order never waits in a circle. */
function draw (schema: string): string {
  return `
create function ${schema}.coordination_draw_1 (accounts text[], rates float8[], charges float8[], wants float8[], leasts float8[])
returns table (taken float8, wait_ms float8) language plpgsql as $$
declare
  kept record;
  had float8;
  moment timestamptz;
begin
  for i in 1 .. cardinality(accounts) loop
    insert into ${schema}.coordination_accounts as a (account, per_minute, rest, at) values (accounts[i], rates[i], rates[i], clock_timestamp())
      on conflict (account) do update set per_minute = rates[i] returning a.rest, a.at into kept;
    moment := greatest(clock_timestamp(), kept.at);
    had := least(rates[i], least(rates[i], kept.rest + extract(epoch from moment - kept.at)::float8 / 60 * rates[i]) - charges[i]);
    taken := case when had >= leasts[i] then greatest(0, least(wants[i], had)) else 0 end;
    wait_ms := greatest(0, leasts[i] - had) / rates[i] * 60000;
    update ${schema}.coordination_accounts a set rest = had - taken, at = moment where a.account = accounts[i];
    return next;
  end loop;
end $$;`
}

/** Tickets are put one after the other, or their bounds would not hold. */
function tickets (schema: string): string {
  return `
create function ${schema}.coordination_put_ticket_1 (new_hash text, new_owner text, new_content text, lives_ms float8, most bigint, most_of_owner bigint)
returns boolean language plpgsql as $$
begin
  perform pg_advisory_xact_lock('${schema.replaceAll("'", "''")}.coordination_tickets'::regclass::int, 0);
  delete from ${schema}.coordination_tickets where until <= clock_timestamp();
  delete from ${schema}.coordination_tickets where hash in
    (select t.hash from ${schema}.coordination_tickets t where t.owner = new_owner order by t.made desc offset greatest(0, most_of_owner - 1));
  if (select count(*) from ${schema}.coordination_tickets) >= most then return false; end if;
  insert into ${schema}.coordination_tickets (hash, owner, content, until) values (new_hash, new_owner, new_content, clock_timestamp() + lives_ms * interval '1 ms');
  return true;
end $$;`
}

/** Streams of one owner enter one after the other, on whichever node. */
function enter (schema: string): string {
  return `
create function ${schema}.coordination_enter_1 (this_node text, new_owner text, most bigint, lease_ms float8) returns boolean language plpgsql as $$
declare
  moment timestamptz;
begin
  perform pg_advisory_xact_lock('${schema.replaceAll("'", "''")}.coordination_streams'::regclass::int, hashtext(new_owner));
  moment := clock_timestamp();
  if (select coalesce(sum(s.streams), 0) from ${schema}.coordination_streams s join ${schema}.coordination_nodes n using (node) where s.owner = new_owner and n.until > moment) >= most then return false; end if;
  perform ${schema}.coordination_lease_1(this_node, lease_ms, false);
  insert into ${schema}.coordination_streams as s (owner, node, streams) values (new_owner, this_node, 1) on conflict (owner, node) do update set streams = s.streams + 1;
  return true;
end $$;`
}

/** What a node has said before its lease was over counts no more. */
function report (schema: string): string {
  return `
create function ${schema}.coordination_lease_1 (this_node text, lease_ms float8, reports boolean) returns boolean language plpgsql as $$
declare
  kept record;
  lapsed boolean;
begin
  insert into ${schema}.coordination_nodes as n (node, until, whole) values (this_node, clock_timestamp(), false) on conflict (node) do update set node = n.node returning n.until, n.whole into kept;
  lapsed := kept.until <= clock_timestamp();
  if lapsed then delete from ${schema}.coordination_streams s where s.node = this_node; end if;
  update ${schema}.coordination_nodes n set until = clock_timestamp() + lease_ms * interval '1 ms', whole = reports or kept.whole and not lapsed where n.node = this_node;
  return kept.whole and not lapsed;
end $$;
create function ${schema}.coordination_report_1 (this_node text, lease_ms float8, owners text[], counts integer[], order_nodes text[], order_texts text[], order_ms float8, most_orders integer)
returns table (known boolean, orders text[]) language plpgsql as $$
begin
  insert into ${schema}.coordination_orders (node, content, until) select o.node, o.content, clock_timestamp() + order_ms * interval '1 ms' from unnest(order_nodes, order_texts) as o (node, content);
  delete from ${schema}.coordination_orders o where o.id in
    (select old.id from (select distinct unnest(order_nodes) as node) t cross join lateral (select w.id from ${schema}.coordination_orders w where w.node = t.node order by w.id desc offset most_orders) old);
  with mine as (delete from ${schema}.coordination_orders o where o.node = this_node returning o.id, o.content, o.until)
    select coalesce(array_agg(m.content order by m.id) filter (where m.until > clock_timestamp()), '{}') into orders from mine m;
  if lease_ms = 0 then
    delete from ${schema}.coordination_nodes n where n.node = this_node returning n.whole into known;
    known := coalesce(known, false);
  else
    known := ${schema}.coordination_lease_1(this_node, lease_ms, true);
    delete from ${schema}.coordination_streams s using unnest(owners, counts) as said (owner, streams) where s.node = this_node and s.owner = said.owner and said.streams <= 0;
    insert into ${schema}.coordination_streams as s (owner, node, streams) select said.owner, this_node, said.streams from unnest(owners, counts) as said (owner, streams) where said.streams > 0
      on conflict (owner, node) do update set streams = excluded.streams;
  end if;
  return next;
end $$;`
}
