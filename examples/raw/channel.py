from wirehop import Namespace, Node, run

node = Node(namespaces={"news": Namespace(subscribe="anyone", publish="anyone", history_size=100)})

if __name__ == "__main__":
    run(node, port=8000)
