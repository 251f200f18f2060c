// A server of one thread that answers as it is told: for what a real one never does.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using Bytes = std::vector<std::uint8_t>;

// The bytes of proto/testdata/NAME.bin.
Bytes testdata(const std::string& name);

class StubServer {
 public:
  // `answer` is called with every message of a client and returns the messages to send back.
  explicit StubServer(std::function<std::vector<Bytes>(const Bytes&)> answer);
  ~StubServer();
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;

  const std::string& endpoint() const { return endpoint_; }
  int messages() const { return messages_.load(); }

 private:
  void run();

  std::function<std::vector<Bytes>(const Bytes&)> answer_;
  void* context_;
  void* router_;
  std::string endpoint_;
  std::atomic<bool> stop_{false};
  std::atomic<int> messages_{0};
  std::thread thread_;
};
