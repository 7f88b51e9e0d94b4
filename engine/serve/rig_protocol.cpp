#include "serve/rig_protocol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/describe.hpp"
#include "base/error.hpp"
#include "base/trial_names.hpp"
#include "io/json.hpp"

namespace hartline::serve {

namespace {

constexpr std::int64_t wander_per_million = 100;  // of one clock against another

struct Hello {
  std::string is;
  std::int64_t protocol = 0;
  std::string token, client;
  bool keep_open = false;
  std::optional<double> time_ns;

  template <class Field>
  static void describe(Field&& field) {
    field("do", &Hello::is, "", required(), "hello");
    field("protocol", &Hello::protocol, "", required(), "version of the protocol");
    field("token", &Hello::token, "", any(), "what the engine printed");
    field("client", &Hello::client, "", any(), "name of the rig's program");
    field("keep_open", &Hello::keep_open, "", any(), "the rig still knows the open trials and will tell of them");
    field("time_ns", &Hello::time_ns, "ns", any(), "the rig's clock as the message leaves");
  }
};

struct Ask {
  std::string is;
  std::optional<double> deadline_ms;
  std::optional<double> time_ns;

  template <class Field>
  static void describe(Field&& field) {
    field("do", &Ask::is, "", required(), "ask");
    field("deadline_ms", &Ask::deadline_ms, "ms", positive(),
          "the stimulus must be there by then; absent: subject.ask_deadline_ms");
    field("time_ns", &Ask::time_ns, "ns", any(), "the rig's clock as the message leaves");
  }
};

struct Tell {
  std::string is, token, reason;
  std::vector<double> response, rendered, delivered;
  std::vector<std::string> marks;
  std::optional<double> rendered_ns, delivered_ns, time_ns;

  template <class Field>
  static void describe(Field&& field) {
    field("do", &Tell::is, "", required(), "tell");
    field("token", &Tell::token, "", required(), "of the trial");
    field("response", &Tell::response, "", required(), "[num_cells, num_bins], row by row");
    field("marks", &Tell::marks, "", one_of({mark_names[0], mark_names[1], mark_names[2], mark_names[3]}),
          "of each value; absent: observed");
    field("reason", &Tell::reason, "", any(), "of what is missing");
    field("rendered", &Tell::rendered, "", any(), "the stimulus as it was rendered; absent: as requested");
    field("delivered", &Tell::delivered, "", any(), "the stimulus as it was delivered; absent: as requested");
    field("rendered_ns", &Tell::rendered_ns, "ns", any(), "when, on the rig's clock");
    field("delivered_ns", &Tell::delivered_ns, "ns", any(), "onset, on the rig's clock");
    field("time_ns", &Tell::time_ns, "ns", any(), "the rig's clock as the message leaves");
  }
};

struct GiveUp {
  std::string is, token, reason;
  std::optional<double> time_ns;

  template <class Field>
  static void describe(Field&& field) {
    field("do", &GiveUp::is, "", required(), "give_up");
    field("token", &GiveUp::token, "", required(), "of the trial");
    field("reason", &GiveUp::reason, "", required(), "why there is no response");
    field("time_ns", &GiveUp::time_ns, "ns", any(), "the rig's clock as the message leaves");
  }
};

struct Ping {
  std::string is;
  std::optional<double> time_ns;

  template <class Field>
  static void describe(Field&& field) {
    field("do", &Ping::is, "", required(), "ping or bye");
    field("time_ns", &Ping::time_ns, "ns", any(), "the rig's clock as the message leaves");
  }
};

struct Note {
  std::string is, message;
  std::optional<double> time_ns;

  template <class Field>
  static void describe(Field&& field) {
    field("do", &Note::is, "", required(), "note");
    field("message", &Note::message, "", required(), "goes into the record as an event of kind rig");
    field("time_ns", &Note::time_ns, "ns", any(), "the rig's clock as the message leaves");
  }
};

/// Times come as any number: many a rig's language knows doubles only.
std::int64_t whole_ns(double ns, const char* field) {
  if (!(std::abs(ns) <= 4e18)) throw SpecError({field, "within 4e18 ns of 0", number_text(ns), ""});
  return std::llround(ns);
}

template <class Message>
Message read_message(const Table& table, const char* name) {
  Message out;
  read_table(table, {name, ""}, out);
  return out;
}

std::string token_text(std::uint64_t token) { return fmt::format("{:016x}", token); }

std::uint64_t token_of(const std::string& text) {
  std::uint64_t token = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), token, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size())
    throw SpecError({"token", "16 hexadecimal digits, as an ask gave them", "\"" + text + "\"", ""});
  return token;
}

/// Takes the same time wherever two texts differ.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned char differs = a.size() != b.size();
  for (std::size_t i = 0; i < a.size(); ++i) differs |= static_cast<unsigned char>(a[i] ^ (i < b.size() ? b[i] : '\0'));
  return differs == 0;
}

std::vector<Mark> marks_of(const std::vector<std::string>& names) {
  std::vector<Mark> out;
  for (const std::string& name : names) out.push_back(*mark_named(name));  // described as one of them
  return out;
}

List texts(const std::vector<const Trial*>& trials) {
  List out;
  for (const Trial* trial : trials) out.emplace_back(token_text(trial->token));
  return out;
}

Table error_reply(const Error& error) {
  Table out;
  out.set("is", "error");
  out.set("message", error.what());
  out.set("path", error.fault.path);
  out.set("must_be", error.fault.requirement);
  out.set("got", error.fault.got);
  out.set("hint", error.fault.hint);
  return out;
}

}  // namespace

bool ClockOffset::add(std::int64_t last_reply_ns, std::int64_t rig_ns, std::int64_t received_ns) {
  const std::int64_t low = last_reply_ns - rig_ns, high = received_ns - rig_ns;
  const std::int64_t wander = (received_ns - at_ns_) / 1'000'000 * wander_per_million;
  const std::int64_t both_low = std::max(low, low_ - wander), both_high = std::min(high, high_ + wander);
  const bool agree = !known_ || both_low <= both_high;
  low_ = known_ && agree ? both_low : low;
  high_ = known_ && agree ? both_high : high;
  at_ns_ = received_ns;
  known_ = true;
  return agree;
}

RigProtocol::RigProtocol(const loop::Experiment& experiment, loop::Run& run, Record& record, std::string token)
    : experiment_(experiment),
      run_(run),
      record_(record),
      token_(std::move(token)),
      // 32 bytes a number, the stimulus twice
      longest_line_(65536 + 32 * (2 * experiment.stimuli.dim + 2 * experiment.model->num_cells * experiment.model->num_bins)) {}

std::string RigProtocol::answer(std::string_view line) {
  received_ns_ = run_.now_ns();
  Table reply;
  try {
    if (line.size() > longest_line_)
      throw SpecError({"message", fmt::format("at most {} bytes", longest_line_), fmt::format("{} bytes", line.size()), ""});
    const Value message = io::parse_json(line, "message");
    const Table* table = message.table();
    const Value* what = table ? table->find("do") : nullptr;
    if (!what || !what->text())
      throw SpecError(
          {"message", "an object whose \"do\" is one of hello, ask, tell, give_up, ping, note, bye", display(message), ""});
    const std::string& verb = *what->text();
    constexpr std::string_view verbs[] = {"hello", "ask", "tell", "give_up", "ping", "note", "bye"};
    if (!greeted_ && verb != "hello") {
      if (!token_.empty()) return "";
      throw SpecError({"do", "hello at first", "\"" + verb + "\"", ""});
    }
    if (verb == "hello")
      reply = hello(*table);
    else if (verb == "ask")
      reply = ask(*table);
    else if (verb == "tell")
      reply = tell(*table);
    else if (verb == "give_up")
      reply = give_up(*table);
    else if (verb == "ping" || verb == "bye")
      reply = ping(*table);
    else if (verb == "note")
      reply = note(*table);
    else
      throw SpecError({"do", fmt::format("one of {}", fmt::join(verbs, ", ")), "\"" + verb + "\"", did_you_mean(verb, verbs)});
    if (!greeted_) return "";
  } catch (const IoError&) {
    throw;
  } catch (const InternalError&) {
    throw;
  } catch (const Error& error) {
    if (!greeted_ && !token_.empty()) return "";
    reply = error_reply(error);
  }
  last_reply_ns_ = run_.now_ns();
  reply.set("time_ns", *last_reply_ns_);
  return io::to_json(reply) + "\n";
}

std::string RigProtocol::refuse_second(std::string_view line) const {
  try {
    const Value message = io::parse_json(line, "message");
    const Value* token = message.table() ? message.table()->find("token") : nullptr;
    if (!token || !token->text() || !same_secret(*token->text(), token_)) return "";
  } catch (const Error&) {
    return "";
  }
  return io::to_json(error_reply(RunError({"hello", "from the only rig", "a second one", "The first is still connected."}))) + "\n";
}

void RigProtocol::hear_time(std::optional<double> rig_ns) {
  if (!rig_ns || !last_reply_ns_) return;
  if (!offset_.add(*last_reply_ns_, whole_ns(*rig_ns, "time_ns"), received_ns_))
    run_.note(Level::warning, "clock", "the rig's clock was set: its times before and after do not agree");
}

std::int64_t RigProtocol::to_engine(double rig_ns, const char* field) const {
  if (!offset_.known())
    throw SpecError({std::string("tell.") + field, "told with time_ns, here or in an earlier message",
                     fmt::format("{} alone", rig_ns), "It says how the rig's clock stands to the engine's."});
  return whole_ns(rig_ns, field) + offset_.offset_ns();
}

Table RigProtocol::hello(const Table& message) {
  const auto hello = read_message<Hello>(message, "hello");
  if (greeted_) throw SpecError({"do", "hello once", "a second one", ""});
  if (!token_.empty() && !same_secret(hello.token, token_)) return {};
  if (hello.protocol != rig_protocol)
    throw SpecError({"hello.protocol", fmt::format("{}", rig_protocol), fmt::format("{}", hello.protocol), ""});
  greeted_ = true;
  run_.note(Level::info, "rig", fmt::format("\"{}\" is here", hello.client));
  if (!hello.keep_open)
    while (!run_.open().empty()) run_.give_up(run_.open().front()->token, "the rig that had it went away");
  Table stimulus, response;
  stimulus.set("dim", static_cast<std::int64_t>(experiment_.stimuli.dim));
  List shape;
  for (std::int64_t n : experiment_.shape) shape.emplace_back(n);
  stimulus.set("num_frames", experiment_.spec.stimulus.num_frames);
  stimulus.set("shape", std::move(shape));
  stimulus.set("num_pool", static_cast<std::int64_t>(experiment_.pool_hash.size()));
  response.set("kind", std::string(name_of(experiment_.model->response_kind)));
  response.set("num_cells", static_cast<std::int64_t>(experiment_.model->num_cells));
  response.set("num_bins", static_cast<std::int64_t>(experiment_.model->num_bins));
  Table out = progress("welcome");
  out.set("protocol", rig_protocol);
  out.set("num_trials", experiment_.spec.num_trials);
  out.set("stimulus", std::move(stimulus));
  out.set("response", std::move(response));
  out.set("open", texts(run_.open()));
  out.set("silence_s", experiment_.spec.subject.silence_s);
  return out;
}

Table RigProtocol::progress(const char* what) const {
  Table out;
  out.set("is", what);
  out.set("num_learned", std::as_const(run_).learner().num_trials());
  out.set("done", run_.done());
  return out;
}

Table RigProtocol::ask(const Table& message) {
  const auto ask = read_message<Ask>(message, "ask");
  hear_time(ask.time_ns);
  const Trial* trial = run_.ask(ask.deadline_ms ? ask.deadline_ms : experiment_.spec.subject.ask_deadline_ms);
  if (!trial) {
    const auto open = run_.open();
    Table out = progress(open.empty() ? "done" : "wait");
    out.set("open", texts(open));
    return out;
  }
  Table out = progress("stimulus");
  out.set("trial", trial->index);
  out.set("token", token_text(trial->token));
  if (const auto* item = std::get_if<PoolItem>(&trial->requested.stimulus.what)) out.set("pool_index", item->index);
  const auto values = experiment_.values(trial->requested.stimulus, trial->index);
  out.set("values", numbers({values.begin(), values.end()}));
  out.set("role", std::string(name_of(trial->role)));
  out.set("arm", experiment_.arms[static_cast<std::size_t>(trial->arm)].name);
  out.set("utility", trial->utility);
  out.set("requested_ns", trial->requested.time_ns);
  return out;
}

Table RigProtocol::tell(const Table& message) {
  const auto tell = read_message<Tell>(message, "tell");
  hear_time(tell.time_ns);
  loop::Answer answer;
  answer.token = token_of(tell.token);
  const models::Model& model = *experiment_.model;
  answer.response = {model.response_kind,
                     static_cast<std::int64_t>(model.num_cells),
                     static_cast<std::int64_t>(model.num_bins),
                     tell.response,
                     marks_of(tell.marks),
                     tell.reason};
  answer.rendered = tell.rendered;
  answer.delivered = tell.delivered;
  if (tell.rendered_ns) answer.rendered_ns = to_engine(*tell.rendered_ns, "rendered_ns");
  if (tell.delivered_ns) answer.delivered_ns = to_engine(*tell.delivered_ns, "delivered_ns");
  const loop::Run::Told told = run_.tell(answer);
  const std::int64_t num_learned = std::as_const(run_).learner().num_trials();
  if (told == loop::Run::Told::taken && offset_.known())
    record_.put("rig_clock_ns", num_learned,
                {{2}, {static_cast<double>(offset_.offset_ns()), static_cast<double>(offset_.half_width_ns())}});
  Table out = progress("told");
  out.set("what", loop::Run::told_names[static_cast<std::size_t>(told)]);
  return out;
}

Table RigProtocol::give_up(const Table& message) {
  const auto give_up = read_message<GiveUp>(message, "give_up");
  hear_time(give_up.time_ns);
  const bool was_open = run_.give_up(token_of(give_up.token), give_up.reason);
  Table out = progress("told");
  out.set("what", was_open ? "given_up" : "stranger");
  return out;
}

Table RigProtocol::ping(const Table& message) {
  const auto ping = read_message<Ping>(message, "ping");
  hear_time(ping.time_ns);
  left_ = ping.is == "bye";
  Table out = progress(left_ ? "bye" : "pong");
  if (offset_.known()) {
    out.set("offset_ns", offset_.offset_ns());
    out.set("half_width_ns", offset_.half_width_ns());
  }
  return out;
}

Table RigProtocol::note(const Table& message) {
  const auto note = read_message<Note>(message, "note");
  hear_time(note.time_ns);
  run_.note(Level::info, "rig", note.message);
  return progress("noted");
}

void RigProtocol::hang_up(const std::string& reason) {
  if (greeted_ && !left_) run_.note(Level::warning, "rig", reason);
  greeted_ = left_ = false;
  offset_ = {};
  last_reply_ns_.reset();
}

}  // namespace hartline::serve
