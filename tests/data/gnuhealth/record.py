#!/usr/bin/env python3
"""Records what GNU Health's own code writes into its SQLite database, row by row, as JSON lines on stdout.

usage: TRYTOND_CONFIG=ENV/trytond.conf ENV/venv/bin/python -W ignore record.py WORKLOAD.py DATABASE.sqlite ARGUMENT... [--then ARGUMENT...]...

  ENV           the folder that setup.sh of the test data made, for sqlite://
  WORKLOAD.py   gh_workload.py of the test data
  DATABASE      a copy of clinic.sqlite in ENV; it is left changed, without the triggers
  ARGUMENT      of WORKLOAD.py: --seed, --ops, --site, --partition and so on; after --then it is run once more

One line for each row that was inserted, updated or deleted. README.md beside this file describes the lines.
"""
import itertools, json, os, runpy, sqlite3, sys

workload, database = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
runs = [list(run) for ends, run in itertools.groupby(sys.argv[3:], key=lambda word: word == '--then') if not ends]
sys.path.insert(0, os.path.dirname(workload))

# What the application keeps for itself and no other place needs: sessions, queues, its log.
NOISE = {'gnuhealth_federation_queue', 'ir_cache', 'ir_model_log', 'ir_queue', 'ir_session', 'ir_session_wizard'}


def quoted(name):
    return '"%s"' % name.replace('"', '""')


def text(name):
    return "'%s'" % name.replace("'", "''")


def install(connection):
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


def remove(connection):
    for name, in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'recorded%'").fetchall():
        connection.execute('DROP TRIGGER %s' % quoted(name))
    for name in 'recorded_row', 'recorded_value', 'recorded_end':
        connection.execute('DROP TABLE %s' % name)
    connection.commit()


def note_where_operations_end():
    """Every operation of the workload is one call of `run`, and one transaction."""
    import gh_common
    from trytond.transaction import Transaction
    run = gh_common.run

    def noting(db, user, ctx, fn):
        def noted():
            result = fn()
            cursor = Transaction().connection.cursor()
            cursor.execute('INSERT INTO recorded_end SELECT max(number), ? FROM recorded_row', (fn.__name__,))
            return result
        return run(db, user, ctx, noted)
    gh_common.run = noting


def shown(value):
    return {'hex': value.hex()} if isinstance(value, bytes) else value


def told(connection):
    ends = connection.execute('SELECT number, what FROM recorded_end WHERE number IS NOT NULL ORDER BY number').fetchall()
    values = connection.execute('SELECT number, name, value FROM recorded_value ORDER BY number').fetchall()
    of = {number: {name: shown(value) for _, name, value in group}
          for number, group in itertools.groupby(values, key=lambda row: row[0])}
    at = 0
    for number, name, done, row in connection.execute('SELECT number, name, done, id FROM recorded_row ORDER BY number'):
        while ends[at][0] < number:
            at += 1
        line = {'operation': at, 'what': ends[at][1], 'do': done, 'table': name, 'id': row}
        if done == 'update' and number not in of:
            continue
        if done != 'delete':
            line['values'] = of.get(number, {})
        yield line


connection = sqlite3.connect(database)
install(connection)
connection.close()
try:
    note_where_operations_end()
    out, sys.stdout = sys.stdout, sys.stderr
    for arguments in runs:
        sys.argv = [workload, os.path.splitext(os.path.basename(database))[0], *arguments]
        runpy.run_path(workload, run_name='__main__')
    sys.stdout = out
finally:
    connection = sqlite3.connect(database)
    lines = list(told(connection))
    remove(connection)
for line in lines:
    print(json.dumps(line, ensure_ascii=False, separators=(',', ':')))
