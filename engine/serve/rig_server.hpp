// The rig's line to the engine: standard input and output, or TCP.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "serve/rig_protocol.hpp"

namespace hartline::serve {

/// Where rigs are heard: "stdio", "tcp", "tcp:PORT" or "tcp:HOST:PORT".
struct RigAddress {
  bool tcp = false;
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any that is free
};

/// Throws: SpecError.
RigAddress rig_address(const std::string& text);

/// A secret of 128 random bits, as 32 hexadecimal digits.
std::string make_rig_token();

/// Talks over standard input and output until the rig leaves, the input ends or `stop` is set.
void serve_rig_stdio(RigProtocol& protocol, const std::atomic<bool>& stop);

/// Listens; one rig at a time is heard, a second one refused, strangers get nothing. A rig that is silent for `silence_s` is taken
/// to be gone; another may come. `listening(port)` once the port is open. Returns when the run is done and the rig has left, or
/// when `stop` is set. Throws: IoError where the address cannot be had.
void serve_rig_tcp(RigProtocol& protocol, const RigAddress& address, double silence_s, const std::atomic<bool>& stop,
                   const std::function<void(std::uint16_t)>& listening);

}  // namespace hartline::serve
