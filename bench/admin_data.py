"""Fills a database for `bench.admin`. `python -m bench.admin_data --orders N` fills the database of DATABASE_URL.

The module uses plain SQL on PostgreSQL. It creates N orders, received in a thousand days up to now. Each order has two
domains, two billing records, three dispatches and three events. One event of each twentieth order is by staff. Each
activation also has an approval. There is a log-in for each tenth order.

Up to ten thousand orders, the orders are received in a hundred days and belong to fewer attributions, so that pages
are as full as with more orders. For every N, 50 of the newest thousand orders are held, 33 failed, and 67 are
activations that start today. So the number of open orders does not grow with the history. Each parent domain has the
domains of 200 orders. The worker's function fills the search index, in a minute for each hundred thousand orders.
"""

import argparse
import math
import os

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()

from django.db import connection
from django.utils import timezone

from orders.db import indexes
from orders.search.index import index_orders

FACTS = """
CREATE TEMP TABLE facts AS
SELECT g AS id, at, kind, starts,
  CASE WHEN g > %(orders)s - 1000 AND g %% 20 = 5 THEN 'held'
       WHEN g > %(orders)s - 1000 AND g %% 30 = 7 THEN 'failed'
       WHEN kind = 'trial' THEN CASE WHEN g %% 4 = 0 THEN 'trialing' ELSE 'converted' END
       WHEN kind = 'change' THEN 'applied'
       WHEN starts > current_date THEN 'scheduled' ELSE 'active' END AS state,
  '100A' || to_char(at, 'YYMMDD') || lpad(g::text, 7, '0') AS number,
  letters[1 + (g / 3) %% %(places)s] AS letters
FROM (SELECT g, now() - (%(orders)s - g) * interval '1 day' * %(days)s / %(orders)s AS at,
        CASE WHEN g %% 20 = 3 THEN 'change' WHEN g %% 3 = 0 THEN 'trial' ELSE 'activation' END AS kind
      FROM generate_series(1, %(orders)s) AS g) AS numbered,
  LATERAL (SELECT CASE WHEN g > %(orders)s - 1000 AND g %% 10 = 1 THEN (now() AT TIME ZONE 'Asia/Shanghai')::date
                       ELSE at::date + (g %% 20)::int END AS starts) AS begun,
  (SELECT array_agg(letters ORDER BY letters) AS letters FROM orders_province) AS places"""
ORDERS = """
INSERT INTO orders_order (id, number, kind, state, held_because, decision, undo_to, withdrawal_idh, trial_number, first,
  enterprise_id, enterprise_name, cp_id, user_id, oper_user, oper_tel, oper_mail, prod_type, product_id, billing_method,
  data_flow, info_security, info_security_table, busi_info, biz_start, bpm_process, content, content_hash, trans_idh,
  received_at, planned_at, state_since, attribution_id, service_type_id, plans, in_effect, proceeded, given)
SELECT id, number, kind, state, CASE WHEN state = 'held' THEN 'files' ELSE '' END, '', '', '',
  CASE WHEN kind = 'trial' THEN '' ELSE '100T' || lpad((id / 3)::text, 9, '0') END, id %% 2 = 0,
  '100A' || lpad((id / 10)::text, 14, '0'),
  (ARRAY['北京','上海','广州','杭州','成都','武汉','南京'])[1 + (id / 10) %% 7]
    || (ARRAY['云帆','启明','南粤','湖畔','天府','光谷'])[1 + (id / 10) %% 6] || (id / 10) || '网络科技有限公司',
  '80171614', '1458', '张三', '13700000000', 'zs@example.com', '1', '61' || lpad(id::text, 9, '0'), '1', '100',
  '', '', '',
  starts, '', jsonb_build_object('OrderNum', number), md5(id::text), md5(id::text), at, at, at,
  letters, (1 + id %% 4)::text, 1, kind = 'change', false, '[]'
FROM facts"""
DOMAINS = """
INSERT INTO orders_orderdomain (order_id, name, key)
SELECT id, name, name FROM facts, generate_series(1, 2) AS part,
  LATERAL (SELECT id %% greatest(%(orders)s / 200, 1) AS site) AS parent,
  LATERAL (SELECT 'cdn' || id || '-' || part || '.site' || site || '.example.com' AS name) AS named"""
TRIAL_SHAPES = """
INSERT INTO orders_trialshape (trial_id, domains, service, ends_on, closed)
SELECT id, (SELECT jsonb_agg(name ORDER BY orders_orderdomain.id) FROM orders_orderdomain WHERE order_id = facts.id),
  (1 + id %% 4)::text, NULL, false
FROM facts WHERE kind = 'trial'"""
DISPATCHES = """
INSERT INTO orders_dispatch (order_id, step, channel, position, blocking, undo, gate, records, about, state, key,
  payload, attempts, error_code, error, definite, superseded, created_at, done_at, frozen_at,
  plan, repeat, size, may_have_acted, lost)
SELECT id, (ARRAY['create_billing', 'start_bpm', 'mail_sent_to_bpm'])[part],
  (ARRAY['billing', 'bpm', 'mail'])[part], part, part < 3, false, '', '[]', '{}',
  CASE WHEN state = 'failed' AND part = 2 THEN 'failed' ELSE 'done' END, gen_random_uuid(),
  '{"code": "' || number || '", "domains": ["a.example.com"]}', 1,
  CASE WHEN state = 'failed' AND part = 2 THEN '400' ELSE '' END, '', true, part = 3, at, at, at, 1, false, 2, true, 0
FROM facts, generate_series(1, 3) AS part"""
MAILS = """
INSERT INTO notifications_mail (order_id, kind, cause, message_id, recipients, subject, body, written_at, state,
  attempts, sent_at, frozen_at)
SELECT id, 'mail_sent_to_bpm', 'bpm', '<' || id || '@ibs-order-desk>', '["sa@example.com"]', number, number, at, 'done',
  1, at, at FROM facts WHERE kind = 'activation'"""
RECORDS = """
INSERT INTO orders_billingrecord (order_id, info_type, product_id, business_type, domain, domain_key, state, accepted)
SELECT order_id, '2', '61', '1', name, key, 'live', '{}' FROM orders_orderdomain"""
EVENTS = """
INSERT INTO orders_orderevent (order_id, at, actor, kind, data)
SELECT id, at + part * interval '1 second',
  CASE WHEN part = 3 AND id %% 20 = 9 THEN 'staff:staff' || id %% 50 ELSE 'worker' END,
  (ARRAY['received', 'step_done', 'state'])[part], '{}'
FROM facts, generate_series(1, 3) AS part"""
TRAIL = """
INSERT INTO orders_trailentry (at, keep_until, actor, code, about, address, data)
SELECT at, at + interval '180 days', 'staff:staff' || id %% 50, 'login', 'staff' || id %% 50, '10.0.0.' || id %% 250,
  '{}' FROM facts WHERE id %% 10 = 3"""
APPROVALS = """
INSERT INTO approvals_approvalrecord (record_id, order_id, source, node, node_name, result, operator, opinion, time,
  finished, body_hash, received_at)
SELECT 'bpm-' || id, id, 'bpm', 'sa-review', '政企SA审批', 'pass', 'zhangsan' || id %% 50, '同意', at, false, '', at
FROM facts WHERE kind = 'activation'"""
INCIDENT = """
INSERT INTO orders_incident (partner, step, code, words, state, detail, first_at, last_at, count)
VALUES ('bpm', 'start_bpm', '400', '', 'open', '', now(), now(), 1)"""
AFFECTED = """
INSERT INTO orders_affectedorder (incident_id, order_id, detail, since, accepted_by, reason)
SELECT (SELECT max(id) FROM orders_incident), id, '', at, '', '' FROM facts WHERE state IN ('failed', 'held')"""
FEW = 10_000
SHAPES = {
    True: {"days": 100, "places": 5},
    False: {"days": 1000, "places": 33},
}
STATEMENTS = [
    FACTS,
    ORDERS,
    DOMAINS,
    TRIAL_SHAPES,
    DISPATCHES,
    MAILS,
    RECORDS,
    EVENTS,
    TRAIL,
    APPROVALS,
    INCIDENT,
    AFFECTED,
]


class Editor:
    """The part of Django's schema editor that the functions of `orders.db.indexes` use."""

    connection, atomic_migration = connection, True

    def execute(self, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)


def fill(orders: int) -> None:
    """Adds the rows to an empty, migrated database. Creates our own indexes at the end, because that is faster."""
    indexes.remove(None, Editor())
    with connection.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(statement, SHAPES[orders <= FEW] | {"orders": orders})
        cursor.execute("SELECT setval(pg_get_serial_sequence('orders_order', 'id'), %s)", [orders])
        cursor.execute("ANALYZE")  # otherwise the indexing would read whole tables
    indexes.install(None, Editor())
    for seconds in (5, math.inf):
        index_orders(now=timezone.now(), seconds=seconds)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # otherwise the session checks foreign keys by plans for empty tables
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (FREEZE)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    fill(parser.parse_args().orders)
