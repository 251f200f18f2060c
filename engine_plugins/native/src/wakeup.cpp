#include "wakeup.h"

#if defined(__linux__)
#include <sys/eventfd.h>
#include <unistd.h>
#elif !defined(_WIN32)
#include <fcntl.h>
#include <unistd.h>
#endif

#include <cstdint>

namespace posebridge {

#if defined(_WIN32)

Wakeup::Wakeup() = default;
Wakeup::~Wakeup() = default;
bool Wakeup::ok() const { return true; }
void Wakeup::disarm() { waiting_.store(false); }
void Wakeup::write() const {}

#else

Wakeup::Wakeup() {
#if defined(__linux__)
  read_fd_ = write_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
#else
  int ends[2];
  if (pipe(ends) == 0) {
    read_fd_ = ends[0];
    write_fd_ = ends[1];
    for (const int end : ends) {
      fcntl(end, F_SETFL, O_NONBLOCK);
      fcntl(end, F_SETFD, FD_CLOEXEC);
    }
  }
#endif
}

Wakeup::~Wakeup() {
  if (write_fd_ >= 0 && write_fd_ != read_fd_) {
    close(write_fd_);
  }
  if (read_fd_ >= 0) {
    close(read_fd_);
  }
}

bool Wakeup::ok() const { return read_fd_ >= 0; }

void Wakeup::disarm() {
  waiting_.store(false);
  std::uint64_t count = 0;
  while (read(read_fd_, &count, sizeof count) > 0) {
  }
}

void Wakeup::write() const {
  const std::uint64_t one = 1;
  // A full pipe has rung already.
  [[maybe_unused]] const auto written = ::write(write_fd_, &one, sizeof one);
}

#endif

}  // namespace posebridge
