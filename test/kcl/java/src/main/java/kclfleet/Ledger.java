// What a worker process writes down: one line of JSON for each thing that happens, written before anything else happens.
package kclfleet;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A ledger in a file. A line goes to the system in one write, so that SIGKILL cuts off the last one at most. */
final class Ledger {
    private final FileOutputStream file;

    Ledger(String path) throws IOException {
        file = new FileOutputStream(path, true);
    }

    /** A record as it was given: partition key, number in the payload, sequence number, sub-sequence number. */
    record Given(String key, String id, String sequenceNumber, long subSequenceNumber) {}

    /** An event without a shard. */
    void note(String event, String why) {
        write("\"event\":" + quoted(event) + ",\"why\":" + quoted(why));
    }

    /** An event of a shard. */
    void note(String event, String shardId, String why) {
        write("\"event\":" + quoted(event) + ",\"shardId\":" + quoted(shardId) + ",\"why\":" + quoted(why));
    }

    /** A shard is begun after this position. */
    void began(String shardId, String sequenceNumber, long subSequenceNumber) {
        write("\"event\":\"began\",\"shardId\":" + quoted(shardId) + ",\"position\":["
                + quoted(sequenceNumber) + "," + subSequenceNumber + "]");
    }

    /** Records were given. */
    void given(String shardId, List<Given> records) {
        StringBuilder text = new StringBuilder("\"shardId\":" + quoted(shardId) + ",\"given\":[");
        for (int i = 0; i < records.size(); i++) {
            Given record = records.get(i);
            if (i > 0) text.append(',');
            text.append('[').append(quoted(record.key())).append(',').append(quoted(record.id())).append(',')
                    .append(quoted(record.sequenceNumber())).append(',').append(record.subSequenceNumber()).append(']');
        }
        write(text.append(']').toString());
    }

    /** A checkpoint is known to be stored. */
    void stored(String shardId, String sequenceNumber, long subSequenceNumber) {
        write("\"shardId\":" + quoted(shardId) + ",\"stored\":[" + quoted(sequenceNumber) + "," + subSequenceNumber + "]");
    }

    /** nanoTime is the monotonic clock of the machine, the same one in every process of it. */
    private synchronized void write(String members) {
        try {
            file.write(("{\"at\":\"" + System.nanoTime() + "\"," + members + "}\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String quoted(String text) {
        if (text == null) return "null";
        StringBuilder quoted = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') quoted.append('\\').append(c);
            else if (c < ' ') quoted.append(String.format("\\u%04x", (int) c));
            else quoted.append(c);
        }
        return quoted.append('"').toString();
    }
}
