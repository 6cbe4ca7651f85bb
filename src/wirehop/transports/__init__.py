"""One file for each kind of wire: Exchange or Duplex ⇄ session. They know the node, and nothing of who serves HTTP."""
