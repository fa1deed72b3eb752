import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/**
 * Reads files with java.util.Properties, one after the other, until its input ends.
 *
 * A request is a byte (1: UTF-8, 0: what load(InputStream) takes it for), a length and as many bytes. The answer is -1
 * where Java refuses the file, else the number of texts, keys and trimmed values in turn, each a length and as many
 * bytes of UTF-16. Numbers are int, big-endian.
 */
public class ReadProperties {

    /** Keeps what is put, in the order of the file and with repetitions. */
    private static final class Listed extends Properties {

        final transient List<String> texts = new ArrayList<>();

        @Override
        public synchronized Object put(Object key, Object value) {
            texts.add((String) key);
            texts.add(((String) value).trim());
            return null;
        }
    }

    public static void main(String[] arguments) throws IOException {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out));
        while (true) {
            boolean isUtf8;
            try {
                isUtf8 = in.readByte() == 1;
            } catch (EOFException ended) {
                return;
            }
            byte[] data = new byte[in.readInt()];
            in.readFully(data);
            write(out, data, isUtf8);
            out.flush();
        }
    }

    private static void write(DataOutputStream out, byte[] data, boolean isUtf8) throws IOException {
        Listed read = new Listed();
        try {
            if (isUtf8) {
                read.load(new StringReader(new String(data, StandardCharsets.UTF_8)));
            } else {
                read.load(new ByteArrayInputStream(data));
            }
        } catch (IllegalArgumentException malformed) {
            out.writeInt(-1);
            return;
        }
        out.writeInt(read.texts.size());
        for (String text : read.texts) {
            out.writeInt(2 * text.length());
            out.writeChars(text);
        }
    }
}
