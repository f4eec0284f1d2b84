// One worker process of Java KCL, of any release from 2.7 on. It is told everything on the command line: --name value …
package kclfleet;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.RetrievalConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/** SIGTERM is a graceful shutdown as KCL has it: shutdownRequested for every shard, then the end of the process. */
public final class Main {
    private static final StaticCredentialsProvider CREDENTIALS =
            StaticCredentialsProvider.create(AwsBasicCredentials.create("emulator", "emulator"));
    private static final int SHUTDOWN_SECONDS = 20;

    private Main() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) options.put(args[i].substring(2), args[i + 1]);
        Ledger ledger = new Ledger(required(options, "ledger"));
        Scheduler scheduler = scheduler(options, ledger);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> shutDown(scheduler, ledger)));
        endWithParent();
        ledger.note("process-started", options.get("worker"));
        // Not a daemon, so that it keeps the process; when it ends by itself, so does the process.
        Thread thread = new Thread(scheduler, "scheduler");
        thread.start();
        thread.join();
        ledger.note("scheduler-ended", null);
        System.exit(0);
    }

    /** Standard input ends when whoever has started this process is gone. */
    private static void endWithParent() {
        Thread thread = new Thread(() -> {
            try {
                while (System.in.read() >= 0) continue;
            } catch (IOException e) {
                // Then it is gone, too.
            }
            Runtime.getRuntime().halt(3);
        });
        thread.setDaemon(true);
        thread.start();
    }

    private static void shutDown(Scheduler scheduler, Ledger ledger) {
        if (scheduler.shutdownComplete()) return;
        try {
            boolean isComplete = scheduler.startGracefulShutdown().get(SHUTDOWN_SECONDS, TimeUnit.SECONDS);
            ledger.note("stopped", isComplete ? "complete" : "incomplete");
        } catch (Exception e) {
            ledger.note("stopped", e.toString());
        }
    }

    private static Scheduler scheduler(Map<String, String> options, Ledger ledger) {
        String stream = required(options, "stream");
        KinesisAsyncClient kinesis = KinesisAsyncClient.builder()
                // The default is HTTP/2, which no emulator speaks well.
                .httpClientBuilder(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1).maxConcurrency(100))
                .endpointOverride(URI.create(required(options, "kinesis")))
                .region(Region.US_EAST_1)
                .credentialsProvider(CREDENTIALS)
                .build();
        DynamoDbAsyncClient dynamo = DynamoDbAsyncClient.builder()
                .httpClientBuilder(NettyNioAsyncHttpClient.builder().maxConcurrency(100))
                .endpointOverride(URI.create(required(options, "dynamodb")))
                .region(Region.US_EAST_1)
                .credentialsProvider(CREDENTIALS)
                .build();
        // Never called: metrics are off.
        CloudWatchAsyncClient cloudWatch = CloudWatchAsyncClient.builder()
                .endpointOverride(URI.create("http://127.0.0.1:9"))
                .region(Region.US_EAST_1)
                .credentialsProvider(CREDENTIALS)
                .build();
        int checkpointEvery = number(options, "checkpoint-every", 10);
        int workMs = number(options, "work-ms", 100);
        ConfigsBuilder configs = new ConfigsBuilder(
                new SingleStreamTracker(
                        stream,
                        InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
                required(options, "application"),
                kinesis,
                dynamo,
                cloudWatch,
                required(options, "worker"),
                () -> new LedgerProcessor(ledger, checkpointEvery, workMs));
        RetrievalConfig retrieval = configs.retrievalConfig();
        PollingConfig polling = new PollingConfig(stream, kinesis);
        polling.idleTimeBetweenReadsInMillis(number(options, "idle-ms", 500));
        polling.kinesisRequestTimeout(Duration.ofSeconds(20));
        retrieval.retrievalSpecificConfig(polling);
        LeaseManagementConfig leases = configs.leaseManagementConfig();
        // KCL 2.7 sleeps that long when it has created the leases of a new application; the default is a minute.
        leases.shardSyncIntervalMillis(number(options, "shard-sync-ms", 5_000));
        leases.failoverTimeMillis(number(options, "failover-ms", 10_000));
        CoordinatorConfig coordinator = configs.coordinatorConfig();
        setClientVersion(coordinator, options.get("client-version"));
        return new Scheduler(
                configs.checkpointConfig(),
                coordinator,
                leases,
                configs.lifecycleConfig(),
                configs.metricsConfig().metricsLevel(MetricsLevel.NONE).metricsFactory(new NullMetricsFactory()),
                configs.processorConfig(),
                retrieval);
    }

    /** Releases from 3.0 on have a setting that says how they live with 2.x; those before do not know it. */
    private static void setClientVersion(CoordinatorConfig coordinator, String name) {
        if (name == null) return;
        for (Class<?> type : CoordinatorConfig.class.getDeclaredClasses()) {
            if (!type.getSimpleName().equals("ClientVersionConfig")) continue;
            for (Object constant : type.getEnumConstants()) {
                if (!constant.toString().equals(name)) continue;
                try {
                    CoordinatorConfig.class.getMethod("clientVersionConfig", type).invoke(coordinator, constant);
                    return;
                } catch (ReflectiveOperationException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
        throw new IllegalArgumentException("--client-version is " + name + ", which this release of KCL does not know");
    }

    private static String required(Map<String, String> options, String name) {
        String value = options.get(name);
        if (value == null) throw new IllegalArgumentException("--" + name + " is missing");
        return value;
    }

    private static int number(Map<String, String> options, String name, int otherwise) {
        String value = options.get(name);
        return value == null ? otherwise : Integer.parseInt(value);
    }
}
