// SPDX-License-Identifier: Apache-2.0
//
// main serve SOCKET | main call SOCKET: the test service /test.Echo (see peer.c), served or called
// by grpc-go. Messages are opaque bytes. A client prints "ok: NAME" or "FAILED: NAME: WHY" a line.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// raw hands bytes through.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (raw) Name() string                       { return "proto" }

var streaming = grpc.StreamDesc{ServerStreams: true}

// --- server ---

type service struct {
	server *grpc.Server
	closed atomic.Int32
}

func (s *service) handle(method string, stream grpc.ServerStream) error {
	var message []byte

	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	switch method {
	case "Echo":
		return stream.SendMsg(&message)
	case "Repeat":
		for range message[0] {
			if err := stream.SendMsg(&message); err != nil {
				return err
			}
		}
		return nil
	case "Hold":
		if err := stream.SendMsg(&[]byte{}); err != nil {
			return err
		}
		<-stream.Context().Done()
		s.closed.Add(1)
		return stream.Context().Err()
	case "Later":
		time.Sleep(300 * time.Millisecond)
		return stream.SendMsg(&message)
	case "Fail":
		return status.Error(codes.Code(message[0]), string(message[1:]))
	case "Closed":
		return stream.SendMsg(&[]byte{byte(s.closed.Load())})
	case "Stop":
		go s.server.Stop()
		return nil
	}
	return status.Error(codes.Unimplemented, method)
}

func serve(socket string) error {
	s := &service{}
	// The shortest time that grpc-go allows between pings.
	s.server = grpc.NewServer(grpc.ForceServerCodec(raw{}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Second, Timeout: time.Second}))
	desc := grpc.ServiceDesc{ServiceName: "test.Echo", HandlerType: (*any)(nil)}
	for _, name := range []string{"Echo", "Repeat", "Hold", "Later", "Fail", "Closed", "Stop"} {
		desc.Streams = append(desc.Streams, grpc.StreamDesc{StreamName: name, ServerStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error {
				return s.handle(name, stream)
			}})
	}
	s.server.RegisterService(&desc, s)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return s.server.Serve(listener)
}

// --- client ---

func check(name string, ok bool, detail ...any) {
	if ok {
		fmt.Println("ok: grpc-go: " + name)
	} else {
		fmt.Printf("FAILED: grpc-go: %s: %.300s\n", name, fmt.Sprint(detail...))
	}
}

func call(c *grpc.ClientConn, ctx context.Context, method string, message []byte,
	options ...grpc.CallOption) ([]byte, error) {
	var answer []byte

	err := c.Invoke(ctx, "/test.Echo/"+method, &message, &answer, options...)
	return answer, err
}

func open(c *grpc.ClientConn, ctx context.Context, method string, message []byte) (grpc.ClientStream, error) {
	stream, err := c.NewStream(ctx, &streaming, "/test.Echo/"+method)
	if err == nil {
		err = stream.SendMsg(&message)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	return stream, err
}

// drain counts messages and bytes up to the end.
func drain(stream grpc.ClientStream) (n int, size int, err error) {
	for {
		var message []byte
		if err = stream.RecvMsg(&message); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return n, size, err
		}
		n++
		size += len(message)
	}
}

func closedIs(c *grpc.ClientConn, want byte) bool {
	for range 100 {
		answer, err := call(c, context.Background(), "Closed", nil)
		if err == nil && len(answer) == 1 && answer[0] == want {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

func unary(c *grpc.ClientConn) {
	ctx := context.Background()
	for name, message := range map[string][]byte{
		"short": []byte("hello"), "empty": {}, "3 MiB": bytes.Repeat([]byte("x"), 3<<20)} {
		answer, err := call(c, ctx, "Echo", message)
		check("unary, "+name, err == nil && bytes.Equal(answer, message), err, " ", len(answer))
	}
	_, err := call(c, ctx, "Nothing", nil)
	check("unknown method", status.Code(err) == codes.Unimplemented, err)
	_, err = call(c, ctx, "Echo", []byte("zipped"), grpc.UseCompressor(gzip.Name))
	check("compressed", status.Code(err) == codes.Unimplemented, err)
	_, err = call(c, ctx, "Echo", make([]byte, 5<<20))
	check("too large", status.Code(err) == codes.ResourceExhausted, err)
	text := "größer → ∞: 100%\n\"quoted\""
	_, err = call(c, ctx, "Fail", append([]byte{byte(codes.NotFound)}, text...))
	check("error with its text", status.Code(err) == codes.NotFound &&
		status.Convert(err).Message() == text, err)
}

func streams(c *grpc.ClientConn) {
	for name, message := range map[string][]byte{
		"200 messages":     append([]byte{200}, "more"...),
		"30 large ones":    append([]byte{30}, make([]byte, 100<<10)...),
		"no message":       {0},
		"a 3.9 MiB answer": append([]byte{1}, make([]byte, 39<<20/10)...)} {
		stream, err := open(c, context.Background(), "Repeat", message)
		n, size := 0, 0
		if err == nil {
			n, size, err = drain(stream)
		}
		check("stream, "+name, err == nil && n == int(message[0]) && size == n*len(message),
			err, " ", n, " ", size)
	}
}

func endings(c *grpc.ClientConn) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := open(c, ctx, "Hold", nil)
	var message []byte
	if err == nil {
		err = stream.RecvMsg(&message)
	}
	check("a held stream's first message", err == nil && len(message) == 0, err)
	cancel()
	_, _, err = drain(stream)
	check("cancelled here", status.Code(err) == codes.Canceled, err)
	check("cancelled there", closedIs(c, 1))

	start := time.Now()
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	stream, err = open(c, ctx, "Hold", nil)
	if err == nil {
		_, _, err = drain(stream)
	}
	took := time.Since(start)
	check("deadline here", status.Code(err) == codes.DeadlineExceeded &&
		took > 150*time.Millisecond && took < 2*time.Second, err, took)
	check("deadline there", closedIs(c, 2))
}

func atOnce(c *grpc.ClientConn) {
	var wg sync.WaitGroup
	var good atomic.Int32
	start := time.Now()
	for i := range 100 {
		wg.Go(func() {
			message := fmt.Appendf(nil, "call %d", i)
			answer, err := call(c, context.Background(), "Later", message)
			if err == nil && bytes.Equal(answer, message) {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	check("100 calls at once", good.Load() == 100 && took < 3*time.Second, good.Load(), " ", took)
}

func stopped(c *grpc.ClientConn) {
	stream, err := open(c, context.Background(), "Hold", nil)
	var message []byte
	if err == nil {
		err = stream.RecvMsg(&message)
	}
	check("a stream before the server's end", err == nil, err)
	go func() { _, _ = call(c, context.Background(), "Stop", nil) }()
	_, _, err = drain(stream)
	check("the server ends with a stream open", status.Code(err) == codes.Unavailable, err)
}

func run(socket string) error {
	dialer := grpc.WithContextDialer(func(_ context.Context, _ string) (net.Conn, error) {
		return net.Dial("unix", socket)
	})
	plain := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(8<<20))}
	// As the kubelet dials: :authority is the path, percent-encoded.
	encoded, err := grpc.NewClient("passthrough:///"+socket, append(plain, dialer)...)
	if err != nil {
		return err
	}
	answer, err := call(encoded, context.Background(), "Echo", []byte("hello"))
	check("a path as the authority", err == nil && string(answer) == "hello", err)
	encoded.Close()

	c, err := grpc.NewClient("unix:"+socket, plain...)
	if err != nil {
		return err
	}
	defer c.Close()
	unary(c)
	streams(c)
	endings(c)
	atOnce(c)
	stopped(c)
	return nil
}

func main() {
	var err error
	switch strings.Join(os.Args[1:min(2, len(os.Args))], "") {
	case "serve":
		err = serve(os.Args[2])
	case "call":
		err = run(os.Args[2])
	default:
		err = errors.New("usage: main serve|call SOCKET")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
