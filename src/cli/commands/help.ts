// help: all commands, or one.
import { ExitCode, UsageError, type Command } from '../command.ts';
import { commandHelp, overview } from '../help.ts';

/** Takes the commands as a function, because it is one of them. */
export const helpOn = (commands: () => readonly Command[]): Command => ({
  name: 'help',
  usage: '[COMMAND]',
  summary: 'Show the help of a command, or the list of all.',
  description: ['The same as --help.'],
  examples: [['help extend', 'of one command']],
  flags: [],
  args: [0, 1],
  completes: 'commands',
  run: ({ invocation, terminal }) => {
    const [name] = invocation.args;
    const command = commands().find((one) => one.name === name);
    if (name !== undefined && !command)
      throw new UsageError(`there is no command ${name}. "kubectl lakebranch help" lists all`);
    terminal.out(command ? commandHelp(command) : overview(commands()));
    return Promise.resolve(ExitCode.done);
  },
});
