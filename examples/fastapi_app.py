"""wirehop in FastAPI: `uvicorn fastapi_app:app`, then open http://127.0.0.1:8000/ in two windows.

curl -N -H 'Accept: text/event-stream' http://127.0.0.1:8000/rt/channels/news
curl -d '{"text": "hello"}' -H 'Content-Type: application/json' http://127.0.0.1:8000/say
"""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from wirehop import AsgiApp, Namespace, Node

node = Node(namespaces={"": Namespace(subscribe="anyone", history_size=100)})
realtime = AsgiApp(node)
app = FastAPI(lifespan=realtime.lifespan)
app.mount("/rt", realtime)


@app.post("/say")
async def say(message: dict[str, Any]) -> int:
    return (await node.publish("news", message)).offset


@app.post("/say-from-a-thread")  # a plain `def`: FastAPI runs it in a thread
def say_from_a_thread(message: dict[str, Any]) -> int:
    return node.run_threadsafe(node.publish("news", message)).offset


@app.get("/", response_class=HTMLResponse)
def page() -> str:
    return """<!doctype html><meta charset="utf-8"><title>news</title><input autofocus><pre></pre><script>
new EventSource('rt/channels/news').onmessage = event => document.querySelector('pre').append(event.data + '\\n')
document.querySelector('input').onchange = ({target}) => fetch('say', {method: 'POST',
  headers: {'Content-Type': 'application/json'}, body: JSON.stringify({text: target.value})})
</script>"""
