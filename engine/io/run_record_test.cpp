#include "io/run_record.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "base/error.hpp"
#include "base/random.hpp"
#include "io/example_trial.hpp"
#include "io/file.hpp"
#include "io/record_reader.hpp"
#include "io/temporary_folder.hpp"

namespace hartline::io {
namespace {

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

/// Runs `body` in a child process and returns its exit code, or minus the signal that ended it.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(RunRecord, InfoAndDocumentsReadBack) {
  TemporaryFolder folder;
  const std::string path = folder / "a record with spaces, é and 100% ?#.hartline";
  RunRecord::create(path, example_info());
  write_document(path, "notes", "first");
  write_document(path, "notes", "second");
  const RecordReader reader(path);
  EXPECT_EQ(reader.info(), example_info());
  EXPECT_EQ(reader.documents(), (std::vector<std::pair<std::string, std::string>>{{"notes", "second"}}));
}

TEST(RunRecord, AFinishedRecordIsOneFile) {
  TemporaryFolder folder;
  write_example(folder / "run.hartline", 3);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"run.hartline"});
}

TEST(RunRecord, ReadersReadDuringTheRunAndSeeTheNewestState) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  const auto record = RunRecord::create(path, example_info());
  const RecordReader reader(path);
  for (int i = 0; i < 3; ++i) {
    record->decide(example_trial(i));
    record->observe(example_trial(i));
    record->flush();
    EXPECT_EQ(reader.num_trials(), i + 1);
  }
  int visited = 0;
  reader.for_each_trial(
      [&](const Trial& trial, const TrialTimes& times) {
        EXPECT_EQ(trial.index, 2);
        EXPECT_GE(times.observed_at_ns, times.decided_at_ns);
        ++visited;
      },
      2);
  EXPECT_EQ(visited, 1);
}

TEST(RunRecord, AppendContinuesAndKeepsWhatIsThere) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  write_example(path, 2);
  Trial again = example_trial(1);
  again.attempt = 2;
  RunRecord::append(path)->decide(again);
  EXPECT_EQ(trials_of(path).size(), 3u);
  EXPECT_EQ(RecordReader(path).num_trials(), 2);
}

TEST(RunRecord, CreatingOverAFileIsRefusedAndLeavesIt) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  write_text(path, "mine");
  EXPECT_EQ(message_of([&] { RunRecord::create(path, example_info()); }),
            path + ": must be a new file (got one that exists). Continue that run with `hartline resume`, or choose another name.");
  EXPECT_EQ(read_text(path), "mine");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"run.hartline"});
}

TEST(RunRecord, AppendingToNothingNamesThePath) {
  TemporaryFolder folder;
  const std::string path = folder / "none.hartline";
  EXPECT_EQ(message_of([&] { RunRecord::append(path); }),
            path + ": must be an existing record (got No such file or directory). Check the spelling of the path.");
}

TEST(RunRecord, AnUnknownDurabilityIsRefusedBeforeAFileIsMade) {
  TemporaryFolder folder;
  RecordInfo info = example_info();
  for (const char* text : {"window:0", "window:", "window:3x", "sometimes", ""}) {
    info.durability = text;
    EXPECT_THROW(RunRecord::create(folder / "run.hartline", info), SpecError) << text;
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(RunRecord, ValuesThatDoNotFillTheirShapeAreRefusedByTheCall) {
  TemporaryFolder folder;
  const auto record = RunRecord::create(folder / "run.hartline", example_info());
  Trial trial = example_trial(0);
  trial.requested.stimulus.what = Array{{2, 2}, {1}};
  EXPECT_THROW(record->decide(trial), SpecError);
  EXPECT_THROW(record->put("mean", 1, Array{{1, -1}, {}}), SpecError);
  trial = example_trial(0);
  trial.response.values.pop_back();
  EXPECT_THROW(record->observe(trial), SpecError);
  record->flush();
}

TEST(RunRecord, ASecondWriterInThisProcessIsRefused) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  auto record = RunRecord::create(path, example_info());
  const std::string expected = path +
                               ": must be free for writing (got a record that is being written by this process). "
                               "Wait until that run has ended, or end it; reading it is possible meanwhile.";
  EXPECT_EQ(message_of([&] { RunRecord::append(path); }), expected);
  EXPECT_EQ(message_of([&] { write_document(path, "a", "b"); }), expected);
  record.reset();
  RunRecord::append(path);
}

TEST(RunRecord, ASecondProcessIsRefusedUntilTheFirstIsKilledAndNothingAcknowledgedIsLost) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto record = RunRecord::create(path, example_info());
    for (int i = 0; i < 5; ++i) {
      record->decide(example_trial(i));
      record->observe(example_trial(i));
    }
    record->decide(example_trial(5));
    if (::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(message_of([&] { RunRecord::append(path); }),
            path + ": must be free for writing (got a record that is being written by another process (" + std::to_string(child) +
                ")). Wait until that run has ended, or end it; reading it is possible meanwhile.");
  EXPECT_EQ(RecordReader(path).num_trials(), 5);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_EQ(trials_of(path).size(), 6u);
  RunRecord::append(path)->observe(example_trial(5));
  EXPECT_EQ(RecordReader(path).num_trials(), 6);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"run.hartline"});
}

TEST(RunRecord, KilledAtAnyMomentItKeepsEveryAcknowledgedTrialWhole) {
  Stream stream(3, Purpose::test);
  int num_trials = 0;
  for (int kill = 0; kill < 25; ++kill) {
    TemporaryFolder folder;
    const std::string path = folder / "run.hartline";
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto record = RunRecord::create(path, example_info());
      for (int i = 0;; ++i) {
        record->decide(example_trial(i));
        if (::write(acknowledged[1], "x", 1) != 1) ::_exit(1);
        record->observe(example_trial(i));
      }
    }
    ::close(acknowledged[1]);
    // Some while after a chosen trial, so that kills fall at every stage of the next.
    char byte = 0;
    int decided = 0;
    for (std::int64_t i = 0; i <= kill % 7; ++i) decided += ::read(acknowledged[0], &byte, 1) == 1 ? 1 : 0;
    std::this_thread::sleep_for(std::chrono::microseconds(stream.integer(4000)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(acknowledged[0], &byte, 1) == 1) ++decided;
    ::close(acknowledged[0]);

    const std::vector<Trial> trials = trials_of(path);
    EXPECT_GE(static_cast<int>(trials.size()), decided);
    EXPECT_GE(RecordReader(path).num_trials(), decided - 1);
    for (std::size_t i = 0; i + 1 < trials.size(); ++i) EXPECT_EQ(text_of(trials[i]), text_of(example_trial(static_cast<int>(i))));
    num_trials += decided;
    RunRecord::append(path);
  }
  EXPECT_GT(num_trials, 25);
}

TEST(RunRecord, TwoThreadsMayWriteAtOnce) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  RecordInfo info = example_info();
  info.durability = "window:10";
  auto record = RunRecord::create(path, info);
  std::thread other([&] {
    for (int i = 0; i < 500; ++i) record->note({i, i, Level::info, "tick", ""});
  });
  for (int i = 0; i < 200; ++i) {
    record->decide(example_trial(i));
    record->observe(example_trial(i));
  }
  other.join();
  record.reset();
  EXPECT_EQ(RecordReader(path).num_trials(), 200);
  EXPECT_EQ(RecordReader(path).events().size(), 500u);
}

TEST(RunRecord, ALongRunShortensItsLog) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  const auto record = RunRecord::create(path, example_info());
  const Array large{{100000}, std::vector<double>(100000, 1.5)};
  for (int i = 0; i < 40; ++i) {
    record->put("mean", i, large);
    record->flush();
  }
  struct stat log {};
  ASSERT_EQ(::stat((path + "-wal").c_str(), &log), 0);
  EXPECT_LT(log.st_size, 12 << 20);  // 32 MB were written
}

/// Runs as an ordinary user, whom permissions bind, whoever runs the tests.
int as_nobody(const std::function<int()>& body) {
  return in_child([&] {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 98;
    return body();
  });
}

TEST(RunRecord, AReadOnlyFolderGivesOneClearErrorToAWriter) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  EXPECT_EQ(as_nobody([&] {
              const std::string message = message_of([&] { RunRecord::create(path, example_info()); });
              if (message == path +
                                 ": must be in a folder that may be written (got Permission denied). "
                                 "Choose a folder that you may write to, or change the permissions.")
                return 0;
              std::fprintf(stderr, "%s\n", message.c_str());
              return 1;
            }),
            0);
}

TEST(RunRecord, AReadOnlyFolderCanBeReadWhetherTheRecordIsFinishedKeptOpenOrKilled) {
  TemporaryFolder folder;
  const std::string finished = folder / "finished.hartline", left = folder / "left.hartline", killed = folder / "killed.hartline";
  write_example(finished, 4);
  {
    write_example(left, 3);
    auto record = RunRecord::append(left);
    const RecordReader reader(left);
    record->decide(example_trial(3));
    record->observe(example_trial(3));
    record.reset();  // the reader keeps the log from being folded in
  }
  ::unlink((left + "-shm").c_str());
  EXPECT_EQ(in_child([&] {
              const auto record = RunRecord::create(killed, example_info());
              for (int i = 0; i < 4; ++i) {
                record->decide(example_trial(i));
                record->observe(example_trial(i));
              }
              record->flush();
              return ::kill(::getpid(), SIGKILL);
            }),
            -SIGKILL);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  EXPECT_EQ(as_nobody([&] { return trials_of(finished).size() == 4 ? 0 : 1; }), 0);
  EXPECT_EQ(as_nobody([&] { return trials_of(killed).size() == 4 ? 0 : 1; }), 0);
  // Without the shared memory SQLite cannot read a log in such a folder; the error says what to do.
  EXPECT_EQ(as_nobody([&] {
              const std::string message = message_of([&] { trials_of(left); });
              if (message == "no IoError" || message.find("Copy it together with " + left + "-wal") != std::string::npos) return 0;
              std::fprintf(stderr, "%s\n", message.c_str());
              return 1;
            }),
            0);
}

TEST(RecordReader, OtherFilesAreRefusedByName) {
  TemporaryFolder folder;
  const std::string path = folder / "x";
  const auto message = [&] { return message_of([&] { RecordReader reader(path); }); };
  EXPECT_EQ(message(), path + ": must be an existing record (got No such file or directory). Check the spelling of the path.");
  write_text(path, "");
  EXPECT_EQ(message(), path + ": must be a record of Hartline (got another kind of database). Check the spelling of the path.");
  write_text(path, std::string(5000, 'x'));
  EXPECT_EQ(message(), path + ": must be a record of Hartline (got another kind of file). Check the spelling of the path.");
}

TEST(RecordReader, ANewerFormatIsRefusedByReadersAndWriters) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  write_example(path, 1);
  std::string bytes = read_text(path);
  bytes[63] = 3;  // user_version is big-endian at offset 60
  write_text(path, bytes);
  const std::string expected = path + ": must be a record of format 2 (got format 3). Read it with a newer version of Hartline.";
  EXPECT_EQ(message_of([&] { RecordReader reader(path); }), expected);
  EXPECT_EQ(message_of([&] { RunRecord::append(path); }), expected);
}

TEST(RecordReader, ATruncatedRecordGivesOneError) {
  TemporaryFolder folder;
  const std::string path = folder / "run.hartline";
  write_example(path, 20);
  const std::string bytes = read_text(path);
  int refused = 0;
  for (std::size_t size = 512; size < bytes.size(); size += 512) {
    write_text(path, std::string_view(bytes).substr(0, size));
    try {
      trials_of(path);
    } catch (const IoError&) {
      ++refused;
    }
    EXPECT_THROW(RunRecord::append(path), IoError);
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace hartline::io
