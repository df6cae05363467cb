'use strict';
// Runs one conversation: prints what it answers, or its error with what the service had said, and ends.
function because(err) {
  const below = err.amqpError ? because(err.amqpError) : '';
  const said = err.responseBody || (err.result && JSON.stringify(err.result)) || below;
  return `${err.name || err.condition}: ${err.message || err.description} ${said}`; // rhea's own errors are not Errors
}

module.exports = (talk) =>
  talk.then(
    (answer) => {
      console.log(JSON.stringify(answer));
      process.exit(0);
    },
    (err) => {
      console.error(because(err));
      process.exit(1);
    }
  );
