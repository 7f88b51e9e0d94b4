// The rig's protocol, its clock and its line to the engine.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <cmath>
#include <thread>

#include "base/error.hpp"
#include "io/json.hpp"
#include "io/memory_record.hpp"
#include "io/toml.hpp"
#include "serve/rig_server.hpp"

namespace hartline::serve {
namespace {

constexpr const char* text =
    "format = 1\nseed = 3\nnum_trials = 12\n[subject]\nkind = \"remote\"\nsilence_s = 0.5\n[stimulus]\nkind = \"ball\"\nshape = "
    "[4]\n"
    "[model]\nkind = \"glm\"\n";

struct Talk {
  std::unique_ptr<Executor> executor = make_serial_executor();
  std::unique_ptr<loop::Experiment> experiment =
      loop::build(loop::read_spec(io::parse_toml(text, "test.toml"), "test.toml"), "", 3, *executor);
  io::MemoryRecord record;
  SteadyClock clock;
  loop::Run run{*experiment, record, clock};
  RigProtocol protocol;

  explicit Talk(std::string token = "") : protocol(*experiment, run, record, std::move(token)) {}
  Table say(const std::string& line) {
    const std::string reply = protocol.answer(line);
    return reply.empty() ? Table{} : *io::parse_json(reply).table();
  }
};

std::string text_of(const Table& table, const char* key) {
  const Value* value = table.find(key);
  return value && value->text() ? *value->text() : "";
}

std::string tell_of(const Table& stimulus, const std::string& more = "") {
  return "{\"do\":\"tell\",\"token\":\"" + text_of(stimulus, "token") + "\",\"response\":[2]" + more + "}";
}

TEST(RigProtocol, RunsAWholeExperiment) {
  Talk talk;
  EXPECT_EQ(text_of(talk.say(R"({"do":"ask"})"), "is"), "error");  // hello comes first
  const Table welcome = talk.say(R"({"do":"hello","protocol":1,"client":"test"})");
  EXPECT_EQ(text_of(welcome, "is"), "welcome");
  for (int t = 0; t < 12; ++t) {
    const Table stimulus = talk.say(R"({"do":"ask"})");
    ASSERT_EQ(text_of(stimulus, "is"), "stimulus");
    EXPECT_EQ(stimulus.find("values")->list()->size(), 4u);
    EXPECT_EQ(text_of(talk.say(tell_of(stimulus)), "what"), "taken");
    EXPECT_EQ(text_of(talk.say(tell_of(stimulus)), "what"), "doubled");
  }
  EXPECT_EQ(text_of(talk.say(R"({"do":"ask"})"), "is"), "done");
  EXPECT_EQ(text_of(talk.say(R"({"do":"bye"})"), "is"), "bye");
  EXPECT_TRUE(talk.protocol.left());
  EXPECT_EQ(talk.record.trials().size(), 12u);
}

TEST(RigProtocol, BadMessagesTeachAndChangeNothing) {
  Talk talk;
  talk.say(R"({"do":"hello","protocol":1})");
  const Table stimulus = talk.say(R"({"do":"ask"})");
  for (const char* bad :
       {"", "{", "[]", "7", "{}", R"({"do":7})", R"({"do":"aks"})", R"({"do":"ask","deadline_ms":0})", R"({"do":"ask","x":1})",
        R"({"do":"tell"})", R"({"do":"tell","token":"zz","response":[1]})", R"({"do":"tell","token":"","response":[1]})",
        R"({"do":"hello","protocol":1})", R"({"do":"give_up","token":"0000000000000000"})"}) {
    const Table reply = talk.say(bad);
    EXPECT_EQ(text_of(reply, "is"), "error") << bad;
    EXPECT_FALSE(text_of(reply, "message").empty()) << bad;
  }
  EXPECT_EQ(text_of(talk.say(R"({"do":"aks"})"), "hint"), "Did you mean \"ask\"?");
  EXPECT_EQ(text_of(talk.say(R"({"do":"tell","token":")" + text_of(stimulus, "token") + R"(","response":[1,2]})"), "is"), "error");
  EXPECT_EQ(text_of(talk.say(R"({"do":"tell","token":")" + text_of(stimulus, "token") + R"(","response":[-1]})"), "is"), "error");
  EXPECT_EQ(text_of(talk.say(R"({"do":"tell","token":"00000000deadbeef","response":[1]})"), "what"), "stranger");
  EXPECT_EQ(talk.run.open().size(), 1u);
  EXPECT_EQ(text_of(talk.say(tell_of(stimulus, R"(,"marks":["censored"])")), "what"), "taken");
  EXPECT_EQ(talk.record.trials().front().response.marks.front(), Mark::censored);
}

TEST(RigProtocol, StrangersGetNothing) {
  Talk talk("secret");
  for (const char* line : {R"({"do":"ask"})", R"({"do":"hello","protocol":1})", R"({"do":"hello","protocol":1,"token":"secreT"})",
                           R"({"do":"hello","protocol":1,"token":"secre"})", R"({"do":"hello","token":7})", "{", ""})
    EXPECT_EQ(talk.protocol.answer(line), "") << line;
  EXPECT_FALSE(talk.protocol.greeted());
  EXPECT_EQ(talk.protocol.refuse_second(R"({"do":"hello","protocol":1,"token":"x"})"), "");
  EXPECT_NE(talk.protocol.refuse_second(R"({"do":"hello","protocol":1,"token":"secret"})"), "");
  EXPECT_EQ(text_of(talk.say(R"({"do":"hello","protocol":1,"token":"secret"})"), "is"), "welcome");
}

TEST(RigProtocol, ARigThatComesBackKeepsOrLosesItsOpenTrials) {
  Talk talk;
  talk.say(R"({"do":"hello","protocol":1})");
  const Table first = talk.say(R"({"do":"ask"})");
  talk.protocol.hang_up("gone");
  const Table back = talk.say(R"({"do":"hello","protocol":1,"keep_open":true})");
  ASSERT_EQ(back.find("open")->list()->size(), 1u);
  EXPECT_EQ(text_of(talk.say(tell_of(first)), "what"), "taken");
  const Table second = talk.say(R"({"do":"ask"})");
  talk.protocol.hang_up("gone");
  EXPECT_TRUE(talk.say(R"({"do":"hello","protocol":1})").find("open")->list()->empty());
  EXPECT_EQ(text_of(talk.say(tell_of(second)), "what"), "late");  // a stale response changes nothing
  EXPECT_EQ(talk.record.trials()[1].response.marks.front(), Mark::missing);
}

/// A message with bytes changed, left out, doubled or put in.
std::string changed(std::string line, Stream& stream) {
  constexpr std::string_view tokens[] = {"null", "1e999", "-0", "[[", "\\u0000", "\xff", "\"do\":", "9223372036854775808",
                                         "{}",   "true"};
  for (std::int64_t num = 1 + stream.integer(4); num > 0 && !line.empty(); --num) {
    const auto at = static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(line.size())));
    switch (stream.integer(4)) {
      case 0:
        line[at] = static_cast<char>(stream.integer(256));
        break;
      case 1:
        line.erase(at, static_cast<std::size_t>(1 + stream.integer(8)));
        break;
      case 2:
        line.insert(at, line.substr(at, static_cast<std::size_t>(1 + stream.integer(16))));
        break;
      default:
        line.insert(at, tokens[static_cast<std::size_t>(stream.integer(std::size(tokens)))]);
    }
  }
  std::erase(line, '\n');
  return line;
}

TEST(RigProtocol, ChangedMessagesNeverHarmTheRun) {
  Stream stream(4, Purpose::test);
  Talk talk("secret");
  std::int64_t num_errors = 0, num_silent = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto open = talk.run.open();
    const std::string token = fmt::format("{:016x}", open.empty() ? 1 : open.front()->token);
    const std::string seeds[] = {R"({"do":"hello","protocol":1,"token":"secret","client":"x","keep_open":true,"time_ns":5})",
                                 R"({"do":"ask","deadline_ms":50.5,"time_ns":12})",
                                 R"({"do":"tell","token":")" + token +
                                     R"(","response":[3],"marks":["observed"],"delivered":[0.1,0,0,0.2],)" +
                                     R"("delivered_ns":7,"time_ns":9})",
                                 R"({"do":"give_up","token":")" + token + R"(","reason":"x"})",
                                 R"({"do":"ping","time_ns":3})",
                                 R"({"do":"note","message":"\u00e9"})"};
    const std::string reply = talk.protocol.answer(changed(seeds[static_cast<std::size_t>(stream.integer(6))], stream));
    num_silent += reply.empty();
    if (reply.empty()) {
      ASSERT_FALSE(talk.protocol.greeted());
    } else {
      const Value value = io::parse_json(reply);
      ASSERT_FALSE(text_of(*value.table(), "is").empty());
      num_errors += text_of(*value.table(), "is") == "error";
    }
    if (talk.protocol.left()) talk.protocol.hang_up("bye");
  }
  EXPECT_GT(num_errors, 1000);
  EXPECT_GT(num_silent, 10);
  // what was taken in is whole, and the run goes on
  talk.protocol.hang_up("gone");
  ASSERT_EQ(text_of(talk.say(R"({"do":"hello","protocol":1,"token":"secret"})"), "is"), "welcome");
  for (Table reply; text_of(reply = talk.say(R"({"do":"ask"})"), "is") == "stimulus";) talk.say(tell_of(reply));
  ASSERT_EQ(talk.record.trials().size(), 12u);
  loop::Learner learner(*talk.experiment);
  for (Trial trial : talk.record.trials()) learner.learn(trial);
  EXPECT_EQ(learner.digest(), talk.run.learner().digest());
}

TEST(ClockOffset, HoldsTheTruthWhateverTheDelaysAndNarrowsToTheFastest) {
  Stream stream(1, Purpose::test);
  ClockOffset clock;
  const std::int64_t truth = -123'456'789'000;
  std::int64_t now = 1'000'000'000, fastest = 1'000'000'000;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t reply = now, there = 20'000 + static_cast<std::int64_t>(2e6 * stream.uniform()),
                       back = 20'000 + static_cast<std::int64_t>(2e6 * stream.uniform());
    const std::int64_t sent = reply + there, received = sent + back;
    ASSERT_TRUE(clock.add(reply, sent - truth, received));
    fastest = std::min(fastest, there + back);
    EXPECT_LE(std::abs(clock.offset_ns() - truth), clock.half_width_ns());
    EXPECT_LE(clock.half_width_ns(), fastest / 2 + 150'000);
    now = received + 1'000'000;
  }
  // a clock that is set by an hour is noticed
  EXPECT_FALSE(clock.add(now, now + 50'000 - truth + 3600'000'000'000, now + 100'000));
  EXPECT_NEAR(static_cast<double>(clock.offset_ns()), static_cast<double>(truth) - 3.6e12, 1e5);
}

TEST(RigProtocol, TimesAreTakenToTheEnginesClock) {
  Talk talk;
  talk.say(R"({"do":"hello","protocol":1})");
  const Table stimulus = talk.say(R"({"do":"ask"})");
  EXPECT_EQ(text_of(talk.say(tell_of(stimulus, R"(,"delivered_ns":5)")), "is"), "error");  // on a clock that nobody knows
  const std::int64_t shift = 77'000'000'000'000, onset = talk.run.now_ns();
  talk.say(tell_of(stimulus, fmt::format(R"(,"delivered_ns":{},"time_ns":{})", onset + shift, talk.run.now_ns() + shift)));
  const Trial trial = talk.record.trials().front();
  EXPECT_NEAR(static_cast<double>(trial.delivered.time_ns), static_cast<double>(onset), 50e6);
  EXPECT_EQ(trial.delivered.clock, "rig");
}

using boost::asio::ip::tcp;

/// A client that waits for each reply.
struct Client {
  boost::asio::io_context context;
  tcp::socket socket{context};
  std::string text;
  explicit Client(std::uint16_t port) { socket.connect({boost::asio::ip::make_address("127.0.0.1"), port}); }
  /// The next line; "" where the other side has hung up.
  std::string hear() {
    for (std::size_t end; (end = text.find('\n')) == std::string::npos;) {
      char bytes[4096];
      boost::system::error_code failure;
      const std::size_t num = socket.read_some(boost::asio::buffer(bytes), failure);
      if (failure) return "";
      text.append(bytes, num);
    }
    const std::string line = text.substr(0, text.find('\n'));
    text.erase(0, line.size() + 1);
    return line;
  }
  std::string say(const std::string& line) {
    boost::system::error_code failure;
    boost::asio::write(socket, boost::asio::buffer(line + "\n"), failure);
    return hear();
  }
};

struct Served : Talk {
  std::atomic<bool> stop{false};
  std::atomic<std::uint16_t> port{0};
  std::thread thread;
  Served() : Talk("secret") {
    thread = std::thread([this] {
      serve_rig_tcp(protocol, {true, "127.0.0.1", 0}, 0.5, stop, [this](std::uint16_t p) { port = p; });
    });
    while (port == 0) std::this_thread::yield();
  }
  ~Served() {
    stop = true;
    thread.join();
  }
};

constexpr const char* hello = R"({"do":"hello","protocol":1,"token":"secret"})";

TEST(RigServer, HearsOneRigRefusesASecondAndGivesStrangersNothing) {
  Served served;
  Client rig(served.port);
  EXPECT_NE(rig.say(hello).find("welcome"), std::string::npos);
  Client second(served.port), stranger(served.port), tongue_tied(served.port);
  EXPECT_NE(second.say(hello).find("second"), std::string::npos);
  EXPECT_EQ(second.hear(), "");
  EXPECT_EQ(stranger.say(R"({"do":"hello","protocol":1,"token":"guess"})"), "");
  EXPECT_EQ(tongue_tied.say(std::string(5'000'000, 'x')), "");
  EXPECT_NE(rig.say(R"({"do":"ask"})").find("stimulus"), std::string::npos);
  // many lines in one packet are answered in order
  const std::string pong = rig.say("{\"do\":\"ping\"}\n{\"do\":\"note\",\"message\":\"hi\"}");
  EXPECT_NE(pong.find("pong"), std::string::npos);
  EXPECT_NE(rig.hear().find("noted"), std::string::npos);
}

TEST(RigServer, ASilentRigIsTakenToBeGoneAndAnotherMayCome) {
  Served served;
  {
    Client rig(served.port);
    rig.say(hello);
    EXPECT_EQ(rig.hear(), "");  // half a second later
  }
  Client next(served.port);
  EXPECT_NE(next.say(hello).find("welcome"), std::string::npos);
}

TEST(RigServer, EndsWhenTheRunIsDoneAndTheRigHasLeft) {
  Served served;
  Client rig(served.port);
  rig.say(hello);
  for (;;) {
    const Table reply = *io::parse_json(rig.say(R"({"do":"ask"})")).table();
    if (text_of(reply, "is") == "done") break;
    rig.say(tell_of(reply));
  }
  EXPECT_NE(rig.say(R"({"do":"bye"})").find("bye"), std::string::npos);
  served.thread.join();  // without a stop
  served.thread = std::thread([] {});
  EXPECT_EQ(served.record.trials().size(), 12u);
}

TEST(RigAddress, IsReadOrRefused) {
  EXPECT_FALSE(rig_address("stdio").tcp);
  EXPECT_EQ(rig_address("tcp").host, "127.0.0.1");
  EXPECT_EQ(rig_address("tcp:5577").port, 5577);
  EXPECT_EQ(rig_address("tcp:0.0.0.0:80").host, "0.0.0.0");
  for (const char* bad : {"", "udp", "tcpx", "tcp:x", "tcp:70000", "tcp:1.2.3.4:"})
    EXPECT_THROW(rig_address(bad), SpecError) << bad;
}

}  // namespace
}  // namespace hartline::serve
