# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_pannier_global_optspecs
    string join \n json q/quiet v/verbose no-progress config= set= node= color= h/help V/version
end

function __fish_pannier_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_pannier_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_pannier_using_subcommand
    set -l cmd (__fish_pannier_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c pannier -n "__fish_pannier_needs_command" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_needs_command" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_needs_command" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_needs_command" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_needs_command" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_needs_command" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_needs_command" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_needs_command" -s V -l version -d 'Print version'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "submit" -d 'Submit a job or data; prints its id'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "fetch" -d 'Fetch the answer to a job'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "list" -d 'List jobs'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "status" -d 'Show the node, or the journey of a job'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "watch" -d 'Show what happens, as it happens'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "cancel" -d 'Take a job back'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "send" -d 'Send a file as a bundle; prints its id'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "recv" -d 'Receive what waits at an endpoint'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "query" -d 'Ask for endpoints, peers, bundles and the store'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "trigger" -d 'Run a command for every bundle that comes'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "peer" -d 'Invite, add and dial other nodes'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "join" -d 'Join the node that an invitation is from'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "spool" -d 'Carry bundles on a stick'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "ping" -d 'See whether another node answers'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "model" -d 'Add and list models'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "init" -d 'Make a node: key, folders, configuration'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "run" -d 'Run the node in the foreground'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "doctor" -d 'Look for problems'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "selftest" -d 'Do one small job of every kind'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "key" -d 'Keys that jobs are sealed with; needs no node'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "bundle" -d 'Look at bundle files; needs no node'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c pannier -n "__fish_pannier_needs_command" -f -a "man" -d 'Print the manual page'
complete -c pannier -n "__fish_pannier_using_subcommand submit" -s m -l model -d 'By which model: a name, a CID or `sha256:HEX`' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -s k -l kind -d 'Kind of work, like `chat`; `data` only carries' -r -f -a "chat\t''
complete\t''
embed\t''
transcribe\t''
speak\t''
detect\t''
echo\t''
data\t''"
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l to -d 'Where `data` goes' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -s p -d 'A parameter, like `max_tokens=32`' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -s f -d 'Parameters from a TOML file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l media -d 'Media type of the input' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l lifetime -d 'How long it is worth carrying' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l seal -d 'Who may read it: `open`, `group` or `to:NODE,..`' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l wait -d 'Wait for the answer' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l fresh -d 'Do it even if the same was done before'
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand submit" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand submit" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand submit" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand submit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -s o -l output -d 'Write the answer into this file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -l wait -d 'Wait for the answer' -r
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand fetch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand list" -l state -d 'Only jobs in this state' -r -f -a "waiting\t''
carried\t''
running\t''
done\t''
failed\t''
delivered\t''
expired\t''
cancelled\t''"
complete -c pannier -n "__fish_pannier_using_subcommand list" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand list" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand list" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand list" -l mine -d 'Only jobs that were submitted here'
complete -c pannier -n "__fish_pannier_using_subcommand list" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand list" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand list" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand list" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand status" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand status" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand status" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand status" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand status" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand status" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand status" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand watch" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand watch" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand watch" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand watch" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand watch" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand watch" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand watch" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand watch" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand send" -s r -l receiver -d 'The endpoint that it is for' -r
complete -c pannier -n "__fish_pannier_using_subcommand send" -s s -l sender -d 'From this endpoint of this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand send" -s l -l lifetime -d 'How long it is worth carrying; a number is seconds' -r
complete -c pannier -n "__fish_pannier_using_subcommand send" -l report -d 'Ask for status reports' -r -f -a "received\t''
forwarded\t''
delivered\t''
deleted\t''
all\t''"
complete -c pannier -n "__fish_pannier_using_subcommand send" -l report-to -d 'Where reports go; by default to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand send" -l hop-limit -d 'How many hops it may take' -r
complete -c pannier -n "__fish_pannier_using_subcommand send" -l crc -d 'Which checksum its blocks carry' -r -f -a "16\t''
32\t''"
complete -c pannier -n "__fish_pannier_using_subcommand send" -s p -l port -d 'Talk to the node that listens on this port of this machine' -r
complete -c pannier -n "__fish_pannier_using_subcommand send" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand send" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand send" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand send" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand send" -s D -l dryrun -l dry-run -d 'Only see whether it would be accepted'
complete -c pannier -n "__fish_pannier_using_subcommand send" -l report-time -d 'Ask for the time in reports'
complete -c pannier -n "__fish_pannier_using_subcommand send" -l acknowledge -d 'Ask the receiving application for an acknowledgement'
complete -c pannier -n "__fish_pannier_using_subcommand send" -l no-fragment -d 'It must arrive in one piece'
complete -c pannier -n "__fish_pannier_using_subcommand send" -s 6 -l ipv6 -d 'Reach that port over IPv6'
complete -c pannier -n "__fish_pannier_using_subcommand send" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand send" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand send" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand send" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s e -l endpoint -d 'Take what has waited longest at this endpoint' -r
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s b -l bid -d 'Read this bundle and leave it there' -r
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s d -l delete -d 'Take this bundle without reading it' -r
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s o -l output -l outfile -d 'Write into this file; into a folder everything that waits' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l wait -d 'Wait until there is something' -r
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s p -l port -d 'Talk to the node that listens on this port of this machine' -r
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s k -l keep -d 'Leave it there'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s x -l hex -d 'Print hexadecimal digits'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s r -l raw -d 'The whole bundle, not only its payload'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l register -d 'Only register in the endpoint'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l unregister -d 'Only end the registration; what waits goes on waiting'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s 6 -l ipv6 -d 'Reach that port over IPv6'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand recv" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -s p -l port -d 'Talk to the node that listens on this port of this machine' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -s 6 -l ipv6 -d 'Reach that port over IPv6'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -f -a "eids" -d 'Endpoints of applications, and how much waits there'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -f -a "peers" -d 'Other nodes'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -f -a "bundles" -d 'Bundles that are held'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -f -a "store" -d 'How full the store is, and of what'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -f -a "info" -d 'The node at a glance'
complete -c pannier -n "__fish_pannier_using_subcommand query; and not __fish_seen_subcommand_from eids peers bundles store info nodeid" -f -a "nodeid" -d 'Who this node is'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from eids" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from peers" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -s a -l addr -d 'Only from or for endpoints that contain this' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from bundles" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from store" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand query; and __fish_seen_subcommand_from nodeid" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -s e -l endpoint -d 'The endpoint; registers in it' -r
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -s c -l command -d 'The command, with its arguments' -r
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -l retry -d 'How long after a failure a bundle is tried again' -r
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -s p -l port -d 'Talk to the node that listens on this port of this machine' -r
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -l once -d 'Do what waits, then end'
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -s 6 -l ipv6 -d 'Reach that port over IPv6'
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand trigger" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -f -a "add" -d 'Dial an address from now on'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -f -a "invite" -d 'Print an invitation, with which another node can `join` this one'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -f -a "list" -d 'List addresses and the nodes that were met'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and not __fish_seen_subcommand_from add invite list forget" -f -a "forget" -d 'No longer dial an address'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l name -d 'What people call this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l lifetime -d 'How long it holds; by default 30 days' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l png -d 'Write it as a QR code into this PNG file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l qr -d 'Show it as a QR code, even where it is not seen on a terminal'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from invite" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand peer; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand join" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand join" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand join" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand join" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand join" -l dry-run -l dryrun -d 'Only show whom it is from and what would be done'
complete -c pannier -n "__fish_pannier_using_subcommand join" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand join" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand join" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand join" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand join" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -f -a "export" -d 'Write what is useful elsewhere into a folder'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and not __fish_seen_subcommand_from export import" -f -a "import" -d 'Take in what lies in a folder'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -l to -d 'Only for this node; may be given several times' -r
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -l max -d 'Take up no more than this' -r
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand spool; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand ping" -l wait -d 'How long to wait' -r
complete -c pannier -n "__fish_pannier_using_subcommand ping" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand ping" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand ping" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand ping" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand ping" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand ping" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand ping" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand ping" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand ping" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -f -a "add" -d 'Take a model file into the store'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -f -a "list" -d 'List models here and elsewhere'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -f -a "show" -d 'Show one model'
complete -c pannier -n "__fish_pannier_using_subcommand model; and not __fish_seen_subcommand_from add list show drop" -f -a "drop" -d 'No longer keep a model'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -l name -d 'What jobs call it; by default the file\'s name' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -l kind -d 'What it is: a model, or `data` for any other file' -r -f -a "gguf\t''
data\t''"
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand model; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand init" -l eid -d 'Be this node; by default who it is follows from its key' -r
complete -c pannier -n "__fish_pannier_using_subcommand init" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand init" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand init" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand init" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand init" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand init" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand init" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand init" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand run" -l ready-file -d 'Write this file once submissions are accepted' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand run" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand run" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand run" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand run" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand run" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand run" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand run" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand run" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -l quick -d 'Only what takes no time'
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -l wait -d 'How long one job may take' -r
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand selftest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -f -a "list" -d 'List the keys that are known here'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -f -a "show" -d 'Print the line that others need to seal for this node, or for a role'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -f -a "add" -d 'Take in lines that `key show` has printed elsewhere'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -f -a "create" -d 'Make the key of a role'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -f -a "rotate" -d 'Make a new key; the one before still opens what was sealed for it'
complete -c pannier -n "__fish_pannier_using_subcommand key; and not __fish_seen_subcommand_from list show add create rotate forget" -f -a "forget" -d 'Forget the keys of a role or of another node'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -l role -d 'The key of this role' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -l secret -d 'The secret of the role, for who is to run its jobs: keep it secret'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -l role -d 'The key of this role, instead of this node\'s own' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand key; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -f -a "inspect" -d 'Show what a bundle says'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -f -a "validate" -d 'Check a bundle against RFC 9171, its security operations, and the signature of a result'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and not __fish_seen_subcommand_from inspect validate create" -f -a "create" -d 'Make a bundle of a payload'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -l keys -d 'Keys to check security operations (BPSec) with: a JWK set' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l source -d 'Who it is from' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l destination -d 'Where it goes' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l lifetime -d 'How long it is worth carrying' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -s o -l output -d 'Write it into this file; by default to standard output' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand bundle; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand completions" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand completions" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand completions" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand completions" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand completions" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand completions" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand completions" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand completions" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pannier -n "__fish_pannier_using_subcommand man" -l dir -d 'Write one page per command into this folder' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand man" -l config -d 'Read this configuration file' -r -F
complete -c pannier -n "__fish_pannier_using_subcommand man" -l set -d 'Overrule the configuration' -r
complete -c pannier -n "__fish_pannier_using_subcommand man" -l node -d 'Talk to this node' -r
complete -c pannier -n "__fish_pannier_using_subcommand man" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c pannier -n "__fish_pannier_using_subcommand man" -l json -d 'Print JSON lines, errors included'
complete -c pannier -n "__fish_pannier_using_subcommand man" -s q -l quiet -d 'Say less; twice: not even errors'
complete -c pannier -n "__fish_pannier_using_subcommand man" -s v -l verbose -d 'Say more'
complete -c pannier -n "__fish_pannier_using_subcommand man" -l no-progress -d 'Show no progress bars'
complete -c pannier -n "__fish_pannier_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
