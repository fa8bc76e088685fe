/** Python modules that the agent puts beside a release; gunicorn loads them, and they load the app. */
import type { Platform } from '@silverlining/protocol';

const LOADER = `"""Loads what SILVER_RUNNER names: FILE.py or FILE.py#object, relative to the working directory."""
import importlib.util
import os
import sys


def load():
    path, _, name = os.environ["SILVER_RUNNER"].partition("#")
    path = os.path.abspath(path)
    sys.path.insert(0, os.getcwd())
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SystemExit as error:
        # gunicorn ends for good on an error, but starts a worker that exited again and again.
        raise ImportError("%s exited while it was loaded: %s" % (path, error)) from error
    for candidate in [name] if name else ["application", "app"]:
        if hasattr(module, candidate):
            return getattr(module, candidate)
    raise ImportError("%s has no %s" % (path, repr(name) if name else "'application' or 'app'"))


def split(prefix, path):
    """(SCRIPT_NAME, PATH_INFO) of a request for path, for an app that is mapped at prefix."""
    prefix = prefix.rstrip("/")
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        return prefix, path[len(prefix):]
    return "", path
`;

const WSGI = `from silver_loader import load, split

_application = load()


def application(environ, start_response):
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = split(
        environ.get("HTTP_X_SILVER_PATH", ""), environ.get("PATH_INFO", "")
    )
    update = environ.get("HTTP_X_SILVER_UPDATE")
    if update:
        environ["silverlining.update"] = update
    return _application(environ, start_response)
`;

const ASGI = `from silver_loader import load, split

_application = load()


async def application(scope, receive, send):
    if scope["type"] in ("http", "websocket"):
        headers = dict(scope["headers"])
        scope = dict(scope)
        scope["root_path"] = split(headers.get(b"x-silver-path", b"").decode("latin-1"), scope["path"])[0]
        if b"x-silver-update" in headers:
            scope["silverlining.update"] = headers[b"x-silver-update"].decode("latin-1")
    await _application(scope, receive, send)
`;

/** File name to content of what a platform needs beside the release. */
export function supportFiles(platform: Platform): Record<string, string> {
  if (platform === 'python') return { 'silver_loader.py': LOADER, 'silver_wsgi.py': WSGI };
  if (platform === 'asgi') return { 'silver_loader.py': LOADER, 'silver_asgi.py': ASGI };
  return {};
}
