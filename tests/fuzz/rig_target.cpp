#include "base/clock.hpp"
#include "base/threads.hpp"
#include "io/json.hpp"
#include "io/memory_record.hpp"
#include "io/toml.hpp"
#include "loop/experiment.hpp"
#include "loop/run.hpp"
#include "serve/rig_lines.hpp"
#include "serve/rig_protocol.hpp"
#include "targets.hpp"

namespace hartline::fuzz {

namespace {

constexpr const char* secret = "0123456789abcdef";

/// The one experiment of all conversations.
const loop::Experiment& experiment() {
  static const auto executor = make_serial_executor();
  static const auto built =
      loop::build(loop::read_spec(io::parse_toml("format = 1\nseed = 3\nnum_trials = 6\n[subject]\nkind = \"remote\"\n"
                                                 "patience_trials = 3\n[stimulus]\nkind = \"ball\"\nshape = [3]\n[model]\n"
                                                 "kind = \"glm\"\n",
                                                 "fuzz.toml"),
                                  "fuzz.toml"),
                  "", 3, *executor);
  return *built;
}

struct Talk {
  io::MemoryRecord record;
  SteadyClock clock;
  loop::Run run{experiment(), record, clock};
  serve::RigProtocol protocol;

  explicit Talk(std::string token) : protocol(experiment(), run, record, std::move(token)) {}

  /// The belief is that of the trials in the record, whatever was said.
  void check() const {
    loop::Learner learner(experiment());
    const auto trials = record.trials();
    for (std::int64_t t = 0; t < run.learner().num_trials(); ++t) {
      Trial trial = trials[static_cast<std::size_t>(t)];
      learner.learn(trial);
    }
    demand(learner.digest() == run.learner().digest(), "the record holds what the belief has learned");
  }
};

void talk(std::string_view bytes, const std::string& token) {
  Talk talk(token);
  serve::RigLines lines(talk.protocol.longest_line());
  bool more = true;
  std::size_t replies = 0, piece = 1 + bytes.size() % 97;
  for (std::size_t at = 0; more && at < bytes.size(); at += piece, piece = 1 + piece * 7 % 101) {
    const bool fits = lines.add(bytes.substr(at, piece), [&](std::string_view line) {
      const std::string reply = talk.protocol.answer(line);
      more = !reply.empty() && !talk.protocol.left();
      if (reply.empty()) return false;
      ++replies;
      const Value document = io::parse_json(reply);
      demand(reply.back() == '\n' && reply.find('\n') == reply.size() - 1, "a reply is a line");
      demand(document.table() && document.table()->find("is") && document.table()->find("time_ns"), "a reply says what it is");
      return more;
    });
    more = more && fits;
  }
  // an escaped token is one too
  if (!token.empty() && bytes.find(token) == bytes.npos && bytes.find('\\') == bytes.npos)
    demand(replies == 0 && talk.record.trials().empty() && talk.record.events().empty(), "a stranger gets nothing");
  talk.protocol.hang_up("the bytes ended");
  talk.check();
}

/// A conversation as it should be, with what a rig may do besides.
std::string conversation(const std::string& token) {
  Talk talk(token);
  std::string said;
  const auto say = [&](const std::string& line) {
    said += line + "\n";
    return *io::parse_json(talk.protocol.answer(line)).table();
  };
  const auto token_of = [](const Table& reply) { return *reply.find("token")->text(); };
  say(R"({"do":"hello","protocol":1,"client":"fuzz","keep_open":true,"time_ns":5,"token":")" + token + "\"}");
  const Table first = say(R"({"do":"ask","time_ns":100})"), second = say(R"({"do":"ask","deadline_ms":3.5})");
  say(R"({"do":"tell","response":[2],"marks":["censored"],"delivered_ns":150,"time_ns":200,"token":")" + token_of(second) + "\"}");
  say(R"({"do":"tell","response":[1],"delivered":[0.1,0,-1e-3],"rendered_ns":1.5e2,"token":")" + token_of(first) + "\"}");
  say(R"({"do":"tell","response":[1],"token":")" + token_of(first) + "\"}");
  say(R"({"do":"give_up","reason":"no key","token":")" + token_of(say(R"({"do":"ask"})")) + "\"}");
  say(R"({"do":"tell","response":[0],"marks":["missing"],"reason":"eyes","token":")" + token_of(say(R"({"do":"ask"})")) + "\"}");
  say(R"({"do":"ping","time_ns":300})");
  say(R"({"do":"note","message":"\u00e9 dark"})");
  say(R"({"do":"bye"})");
  return said;
}

}  // namespace

void read_as_rig(std::string_view bytes) {
  talk(bytes, "");
  talk(bytes, secret);
}

std::vector<std::string> rig_seeds() {
  return {conversation(""), conversation(secret), "{\"do\":\"hello\",\"protocol\":1}\r\n\n{\"do\":\"ask\"}\n[]\n{\"do\":1}\n"};
}

}  // namespace hartline::fuzz
