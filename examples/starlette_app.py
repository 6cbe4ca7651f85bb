"""wirehop in Starlette: `uvicorn starlette_app:app`, then open http://127.0.0.1:8000/ in two windows.

curl -N -H 'Accept: text/event-stream' http://127.0.0.1:8000/rt/channels/news
curl -d '{"text": "hello"}' http://127.0.0.1:8000/say
"""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route

from wirehop import AsgiApp, Namespace, Node

node = Node(namespaces={"": Namespace(subscribe="anyone", history_size=100)})
realtime = AsgiApp(node)


async def say(request: Request) -> JSONResponse:
    return JSONResponse((await node.publish("news", await request.json())).offset)


async def say_from_a_thread(request: Request) -> JSONResponse:
    message = await request.json()
    return JSONResponse(await run_in_threadpool(lambda: node.run_threadsafe(node.publish("news", message)).offset))


async def page(request: Request) -> HTMLResponse:
    return HTMLResponse("""<!doctype html><meta charset="utf-8"><title>news</title><input autofocus><pre></pre><script>
new EventSource('rt/channels/news').onmessage = event => document.querySelector('pre').append(event.data + '\\n')
document.querySelector('input').onchange = ({target}) => fetch('say', {method: 'POST',
  body: JSON.stringify({text: target.value})})
</script>""")


routes = [Route("/", page), Route("/say", say, methods=["POST"]), Mount("/rt", realtime)]
routes.append(Route("/say-from-a-thread", say_from_a_thread, methods=["POST"]))
app = Starlette(routes=routes, lifespan=realtime.lifespan)
