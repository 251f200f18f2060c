// Wakes the background thread where it waits for the socket.
#pragma once

#include <atomic>

#if defined(_WIN32)
#include <cstdint>
#endif

namespace posebridge {

// `ring` may be called from any thread; it makes a system call only if somebody waits, and never blocks. Where the system has nothing to
// wait for beside a socket (Windows), `fd` is -1 and the thread looks again after `kPollMs`.
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  bool ok() const;
  int fd() const { return read_fd_; }

  // The waiting thread: about to wait; then look once more for work, and wait only if there is none. Exchanges on both sides: whichever
  // comes second sees what the other did before, so either the work is seen or the bell rings.
  void arm() { waiting_.exchange(true); }
  // The waiting thread: awake again.
  void disarm();

  void ring() {
    if (waiting_.exchange(false)) {
      write();
    }
  }

  static constexpr int kPollMs = 1;

 private:
  void write() const;

  std::atomic<bool> waiting_{false};
  int read_fd_ = -1, write_fd_ = -1;
};

}  // namespace posebridge
