"""wirehop around Django: `uvicorn django_app:app`, then open http://127.0.0.1:8000/ in two windows.

curl -N -H 'Accept: text/event-stream' http://127.0.0.1:8000/rt/channels/news
curl -d '{"text": "hello"}' http://127.0.0.1:8000/say
"""

import json

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from wirehop import AsgiApp, Namespace, Node

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="of the example")  # noqa: S106
node = Node(namespaces={"": Namespace(subscribe="anyone", history_size=100)})


async def say(request: HttpRequest) -> JsonResponse:
    return JsonResponse((await node.publish("news", json.loads(request.body))).offset, safe=False)


def say_from_a_thread(request: HttpRequest) -> JsonResponse:  # a sync view: Django runs it in a thread
    return JsonResponse(node.run_threadsafe(node.publish("news", json.loads(request.body))).offset, safe=False)


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("""<!doctype html><meta charset="utf-8"><title>news</title><input autofocus><pre></pre><script>
new EventSource('rt/channels/news').onmessage = event => document.querySelector('pre').append(event.data + '\\n')
document.querySelector('input').onchange = ({target}) => fetch('say', {method: 'POST',
  body: JSON.stringify({text: target.value})})
</script>""")


urlpatterns = [path("", page), path("say", say), path("say-from-a-thread", say_from_a_thread)]
app = AsgiApp(node, get_asgi_application(), prefix="/rt")
