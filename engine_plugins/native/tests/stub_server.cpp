#include "stub_server.h"

#include <doctest/doctest.h>
#include <zmq.h>

#include <fstream>
#include <iterator>
#include <utility>

Bytes testdata(const std::string& name) {
  std::ifstream file(std::string(POSEBRIDGE_TESTDATA) + "/" + name + ".bin", std::ios::binary);
  REQUIRE(file.good());
  return Bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

StubServer::StubServer(std::function<std::vector<Bytes>(const Bytes&)> answer)
    : answer_(std::move(answer)), context_(zmq_ctx_new()), router_(zmq_socket(context_, ZMQ_ROUTER)) {
  const int none = 0;
  zmq_setsockopt(router_, ZMQ_LINGER, &none, sizeof none);
  REQUIRE(zmq_bind(router_, "tcp://127.0.0.1:*") == 0);
  char endpoint[256];
  std::size_t size = sizeof endpoint;
  REQUIRE(zmq_getsockopt(router_, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
  endpoint_ = endpoint;
  thread_ = std::thread([this] { run(); });
}

StubServer::~StubServer() {
  stop_.store(true);
  thread_.join();
  zmq_close(router_);
  zmq_ctx_term(context_);
}

void StubServer::run() {
  std::vector<std::uint8_t> buffer(1 << 20);
  while (!stop_.load()) {
    zmq_pollitem_t item = {router_, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, 10) <= 0) {
      continue;
    }
    const int id_size = zmq_recv(router_, buffer.data(), buffer.size(), 0);
    const Bytes id(buffer.begin(), buffer.begin() + id_size);
    const int size = zmq_recv(router_, buffer.data(), buffer.size(), 0);
    messages_.fetch_add(1);
    for (const Bytes& reply : answer_(Bytes(buffer.begin(), buffer.begin() + size))) {
      zmq_send(router_, id.data(), id.size(), ZMQ_SNDMORE);
      zmq_send(router_, reply.data(), reply.size(), 0);
    }
  }
}
