% A rig in MATLAB (R2020b on) or GNU Octave 7 on (with its package instrument-control).
%
%   HARTLINE_RIG_TOKEN=secret hartline run examples/rig/gabor_rig.toml --rig tcp:5577
%   HARTLINE_RIG_TOKEN=secret octave --eval "cd examples/rig; rig(5577)"
function rig(port)
  if exist('OCTAVE_VERSION', 'builtin'), pkg('load', 'instrument-control'); end
  line = tcpclient('127.0.0.1', port);
  say(line, struct('do', 'hello', 'protocol', 1, 'token', getenv('HARTLINE_RIG_TOKEN'), 'client', 'rig.m'));
  trial = say(line, struct('do', 'ask'));
  while strcmp(trial.is, 'stimulus')
    [onset_ns, count] = present(trial.values);
    say(line, struct('do', 'tell', 'token', trial.token, 'response', {{count}}, 'delivered_ns', onset_ns));
    trial = say(line, struct('do', 'ask'));
  end
  say(line, struct('do', 'bye'));
end

function reply = say(line, message)
  message.time_ns = now_ns();
  write(line, uint8([jsonencode(message) char(10)]));
  text = uint8([]);
  while isempty(text) || text(end) ~= 10
    text = [text read(line, max(1, line.NumBytesAvailable))]; %#ok<AGROW>
  end
  reply = jsondecode(char(text));
  if strcmp(reply.is, 'error'), error('hartline:rig', '%s', reply.message); end
end

function ns = now_ns()
  persistent start
  if isempty(start), start = tic(); end
  ns = round(1e9 * toc(start));
end

function [onset_ns, count] = present(values)
  % Your display and your amplifier: shows a stimulus, returns its onset and the spikes counted. Here: a cell made up.
  onset_ns = now_ns();
  count = floor(3 * abs(sum(values(1:8))));
end
