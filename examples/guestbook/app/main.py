"""A guestbook: what visitors wrote, which release and which node served the page."""

import html
import os
import socket
from urllib.parse import parse_qs

import pymysql

SCHEMA = """
    CREATE TABLE IF NOT EXISTS entry (
        id INT AUTO_INCREMENT PRIMARY KEY,
        text VARCHAR(500) NOT NULL,
        node VARCHAR(255) NOT NULL,
        written TIMESTAMP DEFAULT CURRENT_TIMESTAMP
    ) CHARACTER SET utf8mb4
"""

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Guestbook</title><link rel="stylesheet" href="/style.css"></head>
<body>
<h1>Guestbook</h1>
<p>Release <b id="release">{release}</b>, served by <b id="node">{node}</b>.</p>
<form method="post" action="/"><input name="text" maxlength="500" required autofocus> <button>Sign</button></form>
<ol id="entries">{entries}</ol>
</body>
</html>
"""


def connect():
    env = os.environ
    return pymysql.connect(
        host=env["CONFIG_MYSQL_HOST"],
        port=int(env["CONFIG_MYSQL_PORT"]),
        user=env["CONFIG_MYSQL_USER"],
        password=env["CONFIG_MYSQL_PASSWORD"],
        database=env["CONFIG_MYSQL_DBNAME"],
        charset="utf8mb4",
        autocommit=True,
    )


def query(sql, *args):
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


def update(environ):
    """Asked for once on every node before a release is switched to; only the primary changes the database."""
    if environ.get("silverlining.update") == "primary":
        query(SCHEMA)
    return "200 OK", "text/plain", "updated\n"


def sign(environ):
    length = min(int(environ.get("CONTENT_LENGTH") or 0), 10_000)
    form = parse_qs(environ["wsgi.input"].read(length).decode("utf-8", "replace"))
    text = form.get("text", [""])[0].strip()[:500]
    if text:
        query("INSERT INTO entry (text, node) VALUES (%s, %s)", text, socket.gethostname())
    return "303 See Other", "text/plain", ""


def page(environ):
    rows = query("SELECT text, node FROM entry ORDER BY id DESC LIMIT 100")
    entries = "".join(f"<li>{html.escape(text)} <small>{html.escape(node)}</small></li>" for text, node in rows)
    release = html.escape(os.environ["SILVER_INSTANCE_NAME"])
    return "200 OK", "text/html; charset=utf-8", PAGE.format(release=release, node=socket.gethostname(), entries=entries)


def health(environ):
    query("SELECT 1")
    return "200 OK", "text/plain", "ok\n"


ROUTES = {
    ("GET", "/"): page,
    ("POST", "/"): sign,
    ("GET", "/health"): health,
    ("GET", "/update"): update,
}


def not_found(environ):
    return "404 Not Found", "text/plain", "there is no such page\n"


def application(environ, start_response):
    handler = ROUTES.get((environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/"), not_found)
    status, content_type, body = handler(environ)
    headers = [("Content-Type", content_type)]
    if status.startswith("303"):
        headers.append(("Location", "/"))
    start_response(status, headers)
    return [body.encode("utf-8")]
