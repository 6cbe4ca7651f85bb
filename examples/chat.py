from wirehop import Client, Connecting, Namespace, Node, Refused, User, run

node = Node(namespaces={"chat": Namespace(presence=True, subscribe="anyone", publish="signed-in")})


@node.on_connect
async def connect(connecting: Connecting) -> User | None:
    return User(name) if (name := connecting.data(str | None)) else None


@node.on_publish
async def publish(client: Client, channel: str, data: dict[str, str]) -> dict[str, str]:
    if not data["text"].strip():
        raise Refused
    return {"from": client.user, "text": data["text"]}


if __name__ == "__main__":
    run(node, port=8000)
