"""The channels of a command in a container, and of a port, in the messages about them.

Each message is one byte, the channel, and data. The server says on channel 3 how the command
ended, as a Status object; `ff 00` tells it that stdin is at its end.
Source: k8s.io/apiserver/pkg/util/wsstream, k8s.io/client-go/tools/remotecommand/websocket.go.
"""

STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255

PROTOCOL = "v5.channel.k8s.io"
"""The only one that can say on a WebSocket that stdin is at its end; Kubernetes has it since 1.30.
"""

DATA, ERROR = 0, 1
"""Those of a port."""
