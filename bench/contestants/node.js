// process.on, which knows signals by name: it has none for a real-time signal.
const number = Number(process.argv[3]);

function until_term(then) {
  process.on("SIGTERM", () => {
    then();
    process.exit(0);
  });
  console.log("ready");
}

const modes = {
  latency() {
    const samples = [];
    let left = number + Math.floor(number / 10);
    let sent;
    const round = () => {
      sent = process.hrtime.bigint();
      process.kill(process.pid, "SIGUSR1");
    };
    process.on("SIGUSR1", () => {
      const heard = process.hrtime.bigint();
      if (--left < number) samples.push(Number(heard - sent)); // the first ones warm up
      if (left > 0) return round();
      samples.sort((a, b) => a - b);
      console.log(JSON.stringify({ min: samples[0], median: samples[samples.length >> 1] }));
      process.exit(0);
    });
    round();
  },
  echo() {
    process.on("SIGUSR1", () => process.kill(number, "SIGUSR1"));
    until_term(() => {});
  },
  late() {
    process.on("SIGUSR2", () => {});
    process.on("SIGTERM", () => {
      console.log('{"term": true}');
      process.exit(0);
    });
    for (let i = 0; i < number; ++i) process.kill(process.pid, "SIGUSR2");
    process.kill(process.pid, "SIGTERM");
  },
  storm() {
    let standard = 0;
    process.on("SIGUSR1", () => ++standard);
    until_term(() => console.log(`{"standard": ${standard}, "queued": null, "in_order": null}`));
  },
  serve() {
    process.on("SIGINT", () => {});
    until_term(() => {});
  },
};

const mode = modes[process.argv[2]];
if (!mode) {
  console.error("node.js mode number; see bench/README.md");
  process.exit(2);
}
setInterval(() => {}, 1e9); // who listens to signals alone does not keep Node running
mode();
