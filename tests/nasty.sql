-- Whatever SQLite allows and people have used: a schema to be afraid of.

CREATE TABLE "order" (
    "group" INTEGER PRIMARY KEY,
    "select" TEXT NOT NULL UNIQUE,
    "from" INTEGER REFERENCES "order" ("group"),
    "where" DEFAULT (1 + 1)
);

CREATE TABLE "health-post" (
    "post-id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "it's a ""name""" TEXT,
    "a,b)" TEXT,
    [square bracket] TEXT DEFAULT 'it''s; -- not a comment',
    `back-tick` BLOB,
    "" TEXT,
    "saddlebag_1_insert" INTEGER,
    "order" INTEGER REFERENCES "order"
);

CREATE TABLE "Überweisung an 患者 🏥" (
    "größe" REAL,
    "名前" TEXT COLLATE NOCASE,
    "café" TEXT,
    "post" INTEGER REFERENCES "HEALTH-POST" ("POST-ID") ON DELETE SET NULL ON UPDATE CASCADE,
    "schlüssel" "weird type"(3) NOT NULL,
    PRIMARY KEY ("schlüssel" DESC)
);

-- A table whose name has a quotation mark, and a key of two columns, one of them a reference.
CREATE TABLE "5"" pipe'; DROP TABLE ""order""; --" (
    "a""b" INTEGER NOT NULL REFERENCES "order" ("group"),
    "line no" INTEGER NOT NULL,
    amount DECIMAL(10, 2) CHECK (amount IS NULL OR amount < 1000),
    double_amount AS (amount * 2),
    label TEXT GENERATED ALWAYS AS ('no ' || "line no") STORED,
    PRIMARY KEY ("a""b", "line no")
) WITHOUT ROWID;

CREATE TABLE codes (code VARCHAR(8) PRIMARY KEY NOT NULL COLLATE NOCASE, meaning) WITHOUT ROWID;

-- An integer key that the database does not give: one by WITHOUT ROWID, one by DESC (a quirk of old).
CREATE TABLE counted (id INTEGER PRIMARY KEY, text TEXT, code TEXT REFERENCES codes) WITHOUT ROWID;
CREATE TABLE downwards (id INTEGER PRIMARY KEY DESC, text TEXT);

CREATE TABLE strictly (id INTEGER PRIMARY KEY, anything ANY, whole INT NOT NULL DEFAULT 7) STRICT;

-- Begins like saddlebag's own, and is not.
CREATE TABLE saddlebags (id INTEGER PRIMARY KEY, colour TEXT UNIQUE);
CREATE INDEX saddlebags_by_colour ON saddlebags (colour DESC);

-- Not to be kept in step.
CREATE TABLE heap (x, y);
CREATE TABLE audit (at TEXT, what TEXT);
CREATE VIRTUAL TABLE notes USING fts5(body);

CREATE INDEX "index; of order" ON "order" ("select" COLLATE NOCASE DESC) WHERE "from" IS NOT NULL;
CREATE UNIQUE INDEX "by expression" ON "health-post" (lower("it's a ""name"""), "order" + 1) WHERE "a,b)" IS NOT NULL;
CREATE INDEX 名前順 ON "Überweisung an 患者 🏥" ("名前", abs("größe"));

CREATE VIEW "a-view" AS SELECT "group" AS "number", "select" FROM "order" /* with a comment */;
-- Views that lost what they stood on are found in real databases.
CREATE VIEW broken AS SELECT * FROM gone;

CREATE TRIGGER "on order" AFTER INSERT ON "order" BEGIN
    INSERT INTO audit VALUES (datetime('now'), 'order ' || NEW."select");
END;
CREATE TRIGGER "watch größe" AFTER UPDATE OF "größe" ON "Überweisung an 患者 🏥" WHEN NEW."größe" > 1000 BEGIN
    INSERT INTO audit VALUES (datetime('now'), 'tall');
END;
CREATE TRIGGER "into view" INSTEAD OF INSERT ON "a-view" BEGIN
    INSERT INTO "order" ("select") VALUES (NEW."select");
END;

ANALYZE;
