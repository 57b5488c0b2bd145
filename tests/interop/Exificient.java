// EXIficient as a service for one schema, for test_exificient.py. Run: java -cp EXICodec.jar Exificient.java SCHEMA.xsd
// A line in is "E|L|D|V document|fragment BASE64" (encode XML, the same with grammar learning, decode EXI, validate
// XML with the schema); a line out is "ok BASE64" or "error TEXT".

import com.siemens.ct.exi.core.EXIFactory;
import com.siemens.ct.exi.core.FidelityOptions;
import com.siemens.ct.exi.core.grammars.Grammars;
import com.siemens.ct.exi.core.helpers.DefaultEXIFactory;
import com.siemens.ct.exi.grammars.GrammarFactory;
import com.siemens.ct.exi.main.api.sax.EXIResult;
import com.siemens.ct.exi.main.api.sax.EXISource;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStreamReader;
import java.util.Base64;
import javax.xml.XMLConstants;
import javax.xml.parsers.SAXParserFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;
import org.xml.sax.InputSource;
import org.xml.sax.XMLReader;

public class Exificient {
    public static void main(String[] arguments) throws Exception {
        Grammars grammars = GrammarFactory.newInstance().createGrammars(arguments[0]);
        Schema schema = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI).newSchema(new File(arguments[0]));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "US-ASCII"));
        System.out.println("ready");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String answer;
            try {
                String[] words = line.split(" ");
                EXIFactory factory = DefaultEXIFactory.newInstance();
                factory.setFidelityOptions(FidelityOptions.createDefault());
                factory.setGrammars(grammars);
                // ISO 15118: no string table.
                factory.setValueMaxLength(0);
                factory.setValuePartitionCapacity(0);
                // As Josev sets it: grammars of undeclared elements do not learn, such elements get xsi:type.
                if (!words[0].equals("L")) {
                    factory.setMaximumNumberOfBuiltInProductions(0);
                }
                factory.setFragment(words[1].equals("fragment"));
                byte[] input = Base64.getDecoder().decode(words[2]);
                byte[] output = input;
                switch (words[0]) {
                    case "E", "L" -> output = encode(factory, input);
                    case "D" -> output = decode(factory, input);
                    default -> schema.newValidator().validate(new StreamSource(new ByteArrayInputStream(input)));
                }
                answer = "ok " + Base64.getEncoder().encodeToString(output);
            } catch (Exception | StackOverflowError problem) {
                answer = "error " + String.valueOf(problem).replaceAll("\\s+", " ");
            }
            System.out.println(answer);
        }
    }

    private static byte[] encode(EXIFactory factory, byte[] xml) throws Exception {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        EXIResult result = new EXIResult(factory);
        result.setOutputStream(stream);
        SAXParserFactory parsers = SAXParserFactory.newInstance();
        parsers.setNamespaceAware(true);
        XMLReader reader = parsers.newSAXParser().getXMLReader();
        reader.setContentHandler(result.getHandler());
        reader.parse(new InputSource(new ByteArrayInputStream(xml)));
        return stream.toByteArray();
    }

    private static byte[] decode(EXIFactory factory, byte[] exi) throws Exception {
        EXISource source = new EXISource(factory);
        source.setInputSource(new InputSource(new ByteArrayInputStream(exi)));
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        Transformer transformer = TransformerFactory.newInstance().newTransformer();
        transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        transformer.transform(source, new StreamResult(stream));
        return stream.toByteArray();
    }
}
