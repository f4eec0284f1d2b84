# DynamoDB and its streams for one run: moto, one request at a time, because what makes its writes conditional is not atomic between
# threads. Prints its port, and ends when its standard input does.
import io
import os
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

turn = threading.Lock()
dispatcher = DomainDispatcherApplication(create_backend_app)


def one_at_a_time(environ, start_response):
    # The body is read before the turn begins: a client that goes away in the middle of it holds up nobody.
    length = int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
    with turn:
        return list(dispatcher(environ, start_response))


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *args):
        pass


server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=Quiet)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
