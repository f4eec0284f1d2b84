// The processor of one shard: writes down what it is given, works on it for a moment, and checkpoints now and then.
package kclfleet;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/** Checkpoints at every n-th user record, be it inside an aggregate, and at the end of a shard or of the worker. */
final class LedgerProcessor implements ShardRecordProcessor {
    private final Ledger ledger;
    private final int checkpointEvery;
    private final int workMs;
    private String shardId;
    private int sinceCheckpoint;
    private KinesisClientRecord last;

    LedgerProcessor(Ledger ledger, int checkpointEvery, int workMs) {
        this.ledger = ledger;
        this.checkpointEvery = checkpointEvery;
        this.workMs = workMs;
    }

    @Override
    public void initialize(InitializationInput input) {
        shardId = input.shardId();
        ledger.began(
                shardId,
                input.extendedSequenceNumber().sequenceNumber(),
                input.extendedSequenceNumber().subSequenceNumber());
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
        List<Ledger.Given> given = new ArrayList<>();
        for (KinesisClientRecord record : input.records()) {
            byte[] data = new byte[record.data().remaining()];
            record.data().duplicate().get(data);
            given.add(new Ledger.Given(
                    record.partitionKey(),
                    new String(data, StandardCharsets.UTF_8),
                    record.sequenceNumber(),
                    record.subSequenceNumber()));
        }
        ledger.given(shardId, given);
        work();
        for (KinesisClientRecord record : input.records()) {
            last = record;
            sinceCheckpoint += 1;
            if (sinceCheckpoint >= checkpointEvery) checkpointLast(input.checkpointer());
        }
    }

    @Override
    public void leaseLost(LeaseLostInput input) {
        ledger.note("lost", shardId, null);
    }

    @Override
    public void shardEnded(ShardEndedInput input) {
        try {
            input.checkpointer().checkpoint();
            ledger.stored(shardId, "SHARD_END", 0);
            ledger.note("ended", shardId, null);
        } catch (InvalidStateException | ShutdownException e) {
            ledger.note("refused", shardId, e.toString());
        }
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {
        ledger.note("shutdown-requested", shardId, null);
        if (sinceCheckpoint > 0) checkpointLast(input.checkpointer());
    }

    private void checkpointLast(RecordProcessorCheckpointer checkpointer) {
        try {
            checkpointer.checkpoint(last.sequenceNumber(), last.subSequenceNumber());
            sinceCheckpoint = 0;
            ledger.stored(shardId, last.sequenceNumber(), last.subSequenceNumber());
        } catch (InvalidStateException | ShutdownException | IllegalArgumentException e) {
            // Somebody else has the shard, or may have: what is not checkpointed comes again, there or here.
            ledger.note("refused", shardId, e.toString());
        }
    }

    /** Work takes time: a signal is to meet it half-way now and then, too. */
    private void work() {
        if (workMs <= 0) return;
        try {
            Thread.sleep(ThreadLocalRandom.current().nextInt(workMs));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
