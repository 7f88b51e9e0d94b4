#include "serve/rig_server.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <set>

#include "base/error.hpp"
#include "serve/rig_lines.hpp"

namespace hartline::serve {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failure = boost::system::error_code;

constexpr std::chrono::milliseconds look_every{100};  // at the stop flag
constexpr double greeting_s = 5;                      // for a connection to say hello
constexpr std::size_t max_connections = 16;

class Server;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Server& server, tcp::socket socket, std::size_t longest_line)
      : server_(server), socket_(std::move(socket)), timer_(socket_.get_executor()), lines_(longest_line) {}

  void start();
  void close();

 private:
  void read();
  void write();
  void wait(double seconds);
  void end(const std::string& reason);
  bool hear(std::string_view line);

  Server& server_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  RigLines lines_;
  std::array<char, 65536> bytes_;
  std::string going_, queued_;  // replies
  bool heard_ = false, last_words_ = false, ended_ = false;
};

class Server {
 public:
  Server(RigProtocol& talk, const RigAddress& address, double silence, const std::atomic<bool>& stop)
      : protocol(talk), silence_s(silence), acceptor_(context_), timer_(context_), stop_(stop) {
    const std::string name = fmt::format("tcp:{}:{}", address.host, address.port);
    Failure failure;
    const auto ip = asio::ip::make_address(address.host, failure);
    if (failure)
      throw IoError({name, "an address of this machine in numbers", failure.message(), "127.0.0.1 is this machine alone."});
    const tcp::endpoint place(ip, address.port);
    acceptor_.open(place.protocol(), failure);
    if (!failure) acceptor_.set_option(tcp::acceptor::reuse_address(true), failure);
    if (!failure) acceptor_.bind(place, failure);
    if (!failure) acceptor_.listen(static_cast<int>(max_connections), failure);
    if (failure) throw IoError({name, "free to listen on", failure.message(), "Port 0 takes any that is free."});
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  void run() {
    accept();
    look();
    context_.run();
  }

  void forget(const std::shared_ptr<Connection>& connection, const std::string& reason) {
    connections_.erase(connection);
    if (rig != connection.get()) return;
    rig = nullptr;
    protocol.hang_up(reason);
  }

  RigProtocol& protocol;
  double silence_s;
  Connection* rig = nullptr;  // the one that is heard

 private:
  void accept() {
    acceptor_.async_accept([this](Failure failure, tcp::socket socket) {
      if (failure) return;
      if (connections_.size() < max_connections) {
        Failure ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        const auto connection = std::make_shared<Connection>(*this, std::move(socket), protocol.longest_line());
        connections_.insert(connection);
        connection->start();
      }
      accept();
    });
  }

  void look() {
    timer_.expires_after(look_every);
    timer_.async_wait([this](Failure failure) {
      if (failure) return;
      if (stop_ || (protocol.done() && !rig)) return end();
      look();
    });
  }

  void end() {
    acceptor_.close();
    for (const auto& connection : std::set(connections_)) connection->close();
  }

  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  const std::atomic<bool>& stop_;
  std::set<std::shared_ptr<Connection>> connections_;
};

void Connection::start() {
  wait(greeting_s);
  read();
}

void Connection::wait(double seconds) {
  timer_.expires_after(std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
  timer_.async_wait([self = shared_from_this(), seconds](Failure failure) {
    if (!failure) self->end(fmt::format("the rig said nothing for {:g} s", seconds));
  });
}

void Connection::read() {
  socket_.async_read_some(asio::buffer(bytes_), [self = shared_from_this()](Failure failure, std::size_t num) {
    if (failure) return self->end("the rig is gone: " + failure.message());
    bool more = true;
    const bool fits = self->lines_.add({self->bytes_.data(), num}, [&](std::string_view line) { return more = self->hear(line); });
    if (!fits) return self->end("the rig sent a line that is too long");
    if (self->ended_) return;
    self->last_words_ = !more;
    self->write();
    // a rig that does not take its replies is not read on
    if (more && self->going_.empty()) self->read();
  });
}

/// False: there is no more to hear.
bool Connection::hear(std::string_view line) {
  RigProtocol& protocol = server_.protocol;
  std::string reply;
  if (server_.rig && server_.rig != this) {
    queued_ += protocol.refuse_second(line);
    return false;
  }
  reply = protocol.answer(line);
  if (reply.empty()) return false;
  if (protocol.greeted() && !heard_) {
    heard_ = true;
    server_.rig = this;
  }
  if (heard_) wait(server_.silence_s);
  queued_ += reply;
  return !protocol.left();
}

void Connection::write() {
  if (!going_.empty()) return;
  if (queued_.empty()) {
    if (last_words_) end("the rig said goodbye");
    return;
  }
  std::swap(going_, queued_);
  asio::async_write(socket_, asio::buffer(going_), [self = shared_from_this()](Failure failure, std::size_t) {
    if (failure) return self->end("the rig is gone: " + failure.message());
    self->going_.clear();
    const bool was_held = self->queued_.empty() && !self->last_words_;
    self->write();
    if (was_held) self->read();
  });
}

void Connection::end(const std::string& reason) {
  if (ended_) return;
  ended_ = true;
  close();
  server_.forget(shared_from_this(), reason);
}

void Connection::close() {
  Failure ignored;
  timer_.cancel();
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

}  // namespace

RigAddress rig_address(const std::string& text) {
  const auto refuse = [&](const char* hint) {
    throw SpecError({"--rig", "stdio, tcp, tcp:PORT or tcp:HOST:PORT", "\"" + text + "\"", hint});
  };
  RigAddress out;
  if (text == "stdio") return out;
  if (text.rfind("tcp", 0) != 0 || (text.size() > 3 && text[3] != ':')) refuse("");
  out.tcp = true;
  if (text.size() <= 4) return out;
  const std::string rest = text.substr(4);
  const std::size_t colon = rest.rfind(':');
  const std::string port = colon == std::string::npos ? rest : rest.substr(colon + 1);
  if (colon != std::string::npos) out.host = rest.substr(0, colon);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) refuse("A port is a number in 0 … 65535.");
  return out;
}

std::string make_rig_token() {
  std::array<unsigned char, 16> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw IoError({"getrandom", "able to make a token", std::strerror(errno), ""});
  std::string out;
  for (unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

void serve_rig_stdio(RigProtocol& protocol, const std::atomic<bool>& stop) {
  RigLines lines(protocol.longest_line());
  std::array<char, 65536> bytes;
  bool more = true;
  while (more && !stop) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = poll(&input, 1, static_cast<int>(look_every.count()));
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t num = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (num < 0 && errno == EINTR) continue;
    if (num <= 0) break;
    const bool fits = lines.add({bytes.data(), static_cast<std::size_t>(num)}, [&](std::string_view line) {
      const std::string reply = protocol.answer(line);
      if (std::fwrite(reply.data(), 1, reply.size(), stdout) != reply.size() || std::fflush(stdout) != 0)
        return more = false;  // nobody reads any more
      return more = !protocol.left();
    });
    if (!fits)
      throw IoError({"standard input", fmt::format("lines of at most {} bytes", protocol.longest_line()), "a longer one", ""});
  }
  protocol.hang_up("the input ended");
}

void serve_rig_tcp(RigProtocol& protocol, const RigAddress& address, double silence_s, const std::atomic<bool>& stop,
                   const std::function<void(std::uint16_t)>& listening) {
  Server server(protocol, address, silence_s, stop);
  listening(server.port());
  server.run();
}

}  // namespace hartline::serve
