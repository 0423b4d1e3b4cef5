#!/usr/bin/env python3
"""Records what GNU Health's own code writes into its database, row by row, as JSON lines on stdout.

usage: TRYTOND_CONFIG=ENV/trytond.conf ENV/venv/bin/python -W ignore record.py WORKLOAD.py DATABASE ARGUMENT... [--then ARGUMENT...]...

  ENV           the folder that setup.sh of the test data made, for the engine of the database
  WORKLOAD.py   gh_workload.py of the test data
  DATABASE      FILE.sqlite, a copy of clinic.sqlite in ENV, or the name of a PostgreSQL database into which
                gnuhealth1.dump was restored (PGHOST, PGUSER and so on say where); it is left changed, without the triggers
  ARGUMENT      of WORKLOAD.py: --seed, --ops, --site, --partition and so on; after --then it is run once more

One line for each row that was inserted, updated or deleted. README.md beside this file describes the lines.
"""
import itertools, json, os, runpy, sqlite3, sys

workload, database = os.path.abspath(sys.argv[1]), sys.argv[2]
runs = [list(run) for ends, run in itertools.groupby(sys.argv[3:], key=lambda word: word == '--then') if not ends]
sys.path.insert(0, os.path.dirname(workload))

# What the application keeps for itself and no other place needs: sessions, queues, its log.
NOISE = {'gnuhealth_federation_queue', 'ir_cache', 'ir_model_log', 'ir_queue', 'ir_session', 'ir_session_wizard'}


def quoted(name):
    return '"%s"' % name.replace('"', '""')


def text(name):
    return "'%s'" % name.replace("'", "''")


class Sqlite:
    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.name = os.path.splitext(os.path.basename(path))[0]

    def install(self):
        connection = sqlite3.connect(self.path)
        connection.execute('CREATE TABLE recorded_row (number INTEGER PRIMARY KEY, name TEXT, done TEXT, id INTEGER)')
        connection.execute('CREATE TABLE recorded_value (number INTEGER, name TEXT, value)')
        connection.execute('CREATE TABLE recorded_end (number INTEGER, what TEXT)')
        names = [name for name, in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'recorded%'")]
        for name in sorted(set(names) - NOISE):
            columns = [row[1] for row in connection.execute('PRAGMA table_info(%s)' % quoted(name)) if row[1] != 'id']
            for done, row in ('insert', 'NEW'), ('update', 'NEW'), ('delete', 'OLD'):
                note = 'INSERT INTO recorded_row (name, done, id) VALUES (%s, %s, %s.id);' % (text(name), text(done), row)
                changed = {'insert': 'NEW.{0} IS NOT NULL', 'update': 'NEW.{0} IS NOT OLD.{0}', 'delete': None}[done]
                # A value a statement: a column without a type keeps each as it is.
                value = 'INSERT INTO recorded_value SELECT (SELECT max(number) FROM recorded_row), %s, NEW.%s WHERE %s;'
                values = [value % (text(column), quoted(column), changed.format(quoted(column)))
                          for column in columns] if changed else []
                connection.execute('CREATE TRIGGER %s AFTER %s ON %s BEGIN %s %s END' % (
                    quoted('recorded_%s_%s' % (done, name)), done, quoted(name), note, ' '.join(values)))
        connection.commit()
        connection.close()

    def remove(self):
        connection = sqlite3.connect(self.path)
        for name, in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'recorded%'").fetchall():
            connection.execute('DROP TRIGGER %s' % quoted(name))
        for name in 'recorded_row', 'recorded_value', 'recorded_end':
            connection.execute('DROP TABLE %s' % name)
        connection.commit()

    def told(self):
        """Where operations end; and each row's number, table, what was done, key and values."""
        connection = sqlite3.connect(self.path)
        ends = connection.execute('SELECT number, what FROM recorded_end WHERE number IS NOT NULL ORDER BY number')
        values = connection.execute('SELECT number, name, value FROM recorded_value ORDER BY number').fetchall()
        of = {number: {name: shown(value) for _, name, value in group}
              for number, group in itertools.groupby(values, key=lambda row: row[0])}
        rows = connection.execute('SELECT number, name, done, id FROM recorded_row ORDER BY number')
        return ends.fetchall(), [(number, *row, of.get(number, {})) for number, *row in rows]


class Postgres:
    """The triggers fire before the database's own cascades, and note nothing of these: a replay leaves them to it too."""

    NOTE = """CREATE FUNCTION recorded_note() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE changed jsonb;
        BEGIN
            CASE TG_OP
                WHEN 'INSERT' THEN changed := jsonb_strip_nulls(to_jsonb(NEW));
                WHEN 'UPDATE' THEN SELECT jsonb_object_agg(key, value) INTO changed FROM jsonb_each(to_jsonb(NEW))
                    WHERE value IS DISTINCT FROM to_jsonb(OLD) -> key;
                ELSE NULL;
            END CASE;
            INSERT INTO recorded_row (name, done, id, changed)
                VALUES (TG_TABLE_NAME, lower(TG_OP), (to_jsonb(coalesce(NEW, OLD)) ->> 'id')::bigint, changed - 'id');
            RETURN coalesce(NEW, OLD);
        END $$"""

    def __init__(self, name):
        import psycopg2
        self.name, self.connect = name, lambda: psycopg2.connect(dbname=name)

    def tables(self, cursor):
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'recorded%'")
        return sorted({name for name, in cursor.fetchall()} - NOISE)

    def install(self):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute('CREATE TABLE recorded_row (number bigserial, name text, done text, id bigint, changed jsonb)')
            cursor.execute('CREATE TABLE recorded_end (number bigint, what text)')
            cursor.execute(self.NOTE)
            for name in self.tables(cursor):
                cursor.execute('CREATE TRIGGER recorded_note BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW '
                               'WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION recorded_note()' % quoted(name))

    def remove(self):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute('DROP FUNCTION recorded_note CASCADE; DROP TABLE recorded_row, recorded_end')

    def told(self):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'")
            types = {(table, column): kind for table, column, kind in cursor.fetchall()}
            cursor.execute('SELECT number, what FROM recorded_end WHERE number IS NOT NULL ORDER BY number')
            ends = cursor.fetchall()
            cursor.execute('SELECT number, name, done, id, changed FROM recorded_row ORDER BY number')
            rows = [(number, name, done, key, {column: self.shown(types[name, column], value)
                                               for column, value in sorted((changed or {}).items())})
                    for number, name, done, key, changed in cursor.fetchall()]
            return ends, rows

    @staticmethod
    def shown(kind, value):
        if kind == 'bytea' and value:
            return {'hex': value[2:]}
        return value.replace('T', ' ') if kind.startswith('timestamp') and value else value


def note_where_operations_end():
    """Every operation of the workload is one call of `run`, and one transaction."""
    import gh_common
    from trytond.transaction import Transaction
    run = gh_common.run

    def noting(db, user, ctx, fn):
        def noted():
            result = fn()
            cursor = Transaction().connection.cursor()
            cursor.execute("INSERT INTO recorded_end SELECT max(number), '%s' FROM recorded_row" % fn.__name__)
            return result
        return run(db, user, ctx, noted)
    gh_common.run = noting


def shown(value):
    return {'hex': value.hex()} if isinstance(value, bytes) else value


def lines(ends, rows):
    at = 0
    for number, name, done, row, values in rows:
        while ends[at][0] < number:
            at += 1
        line = {'operation': at, 'what': ends[at][1], 'do': done, 'table': name, 'id': row}
        if done == 'update' and not values:
            continue
        if done != 'delete':
            line['values'] = values
        yield line


engine = Sqlite(database) if database.endswith('.sqlite') else Postgres(database)
engine.install()
try:
    note_where_operations_end()
    out, sys.stdout = sys.stdout, sys.stderr
    for arguments in runs:
        sys.argv = [workload, engine.name, *arguments]
        runpy.run_path(workload, run_name='__main__')
    sys.stdout = out
finally:
    told = list(lines(*engine.told()))
    engine.remove()
for line in told:
    print(json.dumps(line, ensure_ascii=False, separators=(',', ':')))
