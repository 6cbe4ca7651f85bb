// Centrifuge's engine as scripts/bench measures it: memory broker, 100 publications of history, pings as they are by
// default, no compression, nothing logged. Anyone may connect, subscribe and publish; the rpc answers what it is given.
//
//	centrifuge PORT
//
//	/connection/websocket         sessions
//	/connection/sse               sessions, one way; everybody is subscribed to bench:all
//	/connection/http_stream       sessions, and POST /emulation for what goes up
//	POST /channels/{channel}      publishes the body, which is JSON
//
// Channels whose names begin with check are those of wirehop check: recovered, with joins and leaves, and 20,000
// publications of history.
package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	checked     = "check"
	checkedSize = 20_000
	historySize = 100
	historyAge  = 5 * time.Minute
	shared      = "bench:all"
)

func newNode() *centrifuge.Node {
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelNone})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(_ context.Context, connecting centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		reply := centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}
		if connecting.Transport.Unidirectional() || connecting.Transport.Name() == "sse" {
			reply.Subscriptions = map[string]centrifuge.SubscribeOptions{shared: {}}
		}
		return reply, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(event centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
			is := strings.HasPrefix(event.Channel, checked)
			answer(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{
				EnableRecovery: is, EnablePositioning: is, EmitPresence: is, EmitJoinLeave: is, PushJoinLeave: is,
			}}, nil)
		})
		client.OnPublish(func(event centrifuge.PublishEvent, answer centrifuge.PublishCallback) {
			options := centrifuge.PublishOptions{HistorySize: historySize, HistoryTTL: historyAge}
			if strings.HasPrefix(event.Channel, checked) {
				options.HistorySize = checkedSize
			}
			answer(centrifuge.PublishReply{Options: options}, nil)
		})
		client.OnRPC(func(call centrifuge.RPCEvent, answer centrifuge.RPCCallback) {
			answer(centrifuge.RPCReply{Data: call.Data}, nil)
		})
	})
	return node
}

func publishInto(node *centrifuge.Node) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
		if err == nil {
			_, err = node.Publish(request.PathValue("channel"), body, centrifuge.WithHistory(historySize, historyAge))
		}
		if err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
		response.WriteHeader(http.StatusCreated)
	}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: centrifuge PORT")
	}
	node := newNode()
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{UseWriteBufferPool: true}))
	routes.Handle("/connection/sse", centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{}))
	routes.Handle("/connection/http_stream", centrifuge.NewHTTPStreamHandler(node, centrifuge.HTTPStreamConfig{}))
	routes.Handle("/emulation", centrifuge.NewEmulationHandler(node, centrifuge.EmulationConfig{}))
	routes.HandleFunc("POST /channels/{channel}", publishInto(node))
	server := &http.Server{Addr: "127.0.0.1:" + os.Args[1], Handler: routes}

	stop, done := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer done()
	go func() {
		<-stop.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
