"""What commands and options are for, in other languages."""

from typing import Final

from bot.discord.translated_library import LIBRARY
from bot.discord.translated_names import Row

_KEPT: Final[dict[str, Row]] = {
    "sharp outlines": (
        "scharfe Umrisse", "les contours nets", "los contornos nítidos", "くっきりした輪郭", "os contornos nítidos",
    ),
    "rough strokes": ("grobe Striche", "les traits grossiers", "los trazos gruesos", "ラフな線", "os traços grossos"),
    "drawn lines": (
        "gezeichnete Linien", "les lignes dessinées", "las líneas dibujadas", "描かれた線", "as linhas desenhadas",
    ),
    "soft outlines": (
        "weiche Umrisse", "les contours doux", "los contornos suaves", "柔らかい輪郭", "os contornos suaves",
    ),
    "near and far": (
        "Nähe und Ferne", "le proche et le lointain", "lo cercano y lo lejano", "遠近", "o perto e o longe",
    ),
    "how people stand": (
        "wie Menschen stehen", "la pose des personnes", "la postura de las personas", "人の姿勢", "a pose das pessoas",
    ),
    "the relief of surfaces": (
        "das Relief der Flächen", "le relief des surfaces", "el relieve de las superficies", "面の起伏",
        "o relevo das superfícies",
    ),
    "what is where": ("was wo ist", "ce qui est où", "qué hay y dónde", "何がどこにあるか", "o que está onde"),
    "all but its finest detail": (
        "alles außer dem Feinsten", "tout sauf le plus fin détail", "todo menos el detalle más fino",
        "細部以外のすべて", "tudo menos o detalhe mais fino",
    ),
    "colours in large patches": (
        "Farben in großen Flecken", "les couleurs par grandes zones", "los colores en zonas grandes", "大まかな色",
        "as cores em áreas grandes",
    ),
    "light and dark": (
        "Hell und Dunkel", "le clair et le sombre", "las luces y las sombras", "明暗", "o claro e o escuro",
    ),
    "a QR code, or another pattern in black and white": (
        "ein QR-Code oder Schwarz-Weiß-Muster", "un code QR ou un motif noir et blanc",
        "un código QR o un patrón en blanco y negro", "QRコードや白黒の模様", "um código QR ou padrão preto e branco",
    ),
}  # fmt: skip
"""What a kind of control keeps, said in other languages behind _KEEP."""

_KEEP: Final[Row] = (
    "Behält vom Bild", "Garde d’une image", "Guarda de la imagen", "画像から残すもの", "Mantém da imagem",
)  # fmt: skip

_CONTROLS: Final[dict[str, Row]] = {
    f"Keep of a picture: {english}": (
        f"{_KEEP[0]}: {kept[0]}", f"{_KEEP[1]}: {kept[1]}", f"{_KEEP[2]}: {kept[2]}", f"{_KEEP[3]}: {kept[3]}",
        f"{_KEEP[4]}: {kept[4]}",
    )
    for english, kept in _KEPT.items()
}  # fmt: skip

SENTENCES: Final[dict[str, Row]] = {
    "Make pictures from words": (
        "Macht Bilder aus Worten", "Crée des images à partir de mots", "Crea imágenes a partir de palabras",
        "言葉から画像を作る", "Cria imagens a partir de palavras",
    ),
    "What the picture shows": (
        "Was das Bild zeigt", "Ce que l’image montre", "Lo que muestra la imagen", "画像に描くもの",
        "O que a imagem mostra",
    ),
    "What it must not show": (
        "Was es nicht zeigen soll", "À ne pas montrer", "Lo que no debe mostrar", "描かないもの",
        "O que ela não deve mostrar",
    ),
    "Width to height": (
        "Breite zu Höhe", "Largeur sur hauteur", "Ancho por alto",
        "幅と高さの比", "Largura por altura",
    ),
    "How many pictures": ("Wie viele Bilder", "Combien d’images", "Cuántas imágenes", "画像の枚数", "Quantas imagens"),
    "Same seed, same picture": (
        "Für das gleiche Bild", "Pour la même image", "Para la misma imagen", "同じシードなら同じ画像",
        "Para a mesma imagem",
    ),
    "Denoising steps": (
        "Schritte des Entrauschens", "Étapes de débruitage", "Pasos de limpieza", "ノイズ除去のステップ数",
        "Passos de limpeza",
    ),
    "How closely to the prompt": (
        "Treue zur Beschreibung", "Fidélité à la description", "Fidelidad al texto",
        "内容にどれだけ従うか", "Fidelidade à descrição",
    ),
    "The sampler": ("Das Abtastverfahren", "L’échantillonneur", "El muestreador", "サンプラー", "O amostrador"),
    "LoRAs, such as crayon:0.8": (
        "LoRAs, etwa crayon:0.8", "LoRA, comme crayon:0.8", "LoRA, como crayon:0.8", "LoRA。例: crayon:0.8",
        "LoRAs, como crayon:0.8",
    ),
    "For your eyes only": (
        "Nur für deine Augen", "Pour vos yeux seulement", "Solo para tus ojos", "自分だけに表示", "Só para você",
    ),
    "Opens a form with more options": (
        "Öffnet ein Formular mit mehr Möglichkeiten", "Ouvre un formulaire avec plus d’options",
        "Abre un formulario con más opciones", "その他の設定のフォームを開く", "Abre um formulário com mais opções",
    ),
    "What waits and renders": (
        "Was wartet und entsteht", "Ce qui attend et se crée", "Lo que espera y se crea", "待機中と作成中のもの",
        "O que espera e está sendo criado",
    ),
    "Stop a picture that waits or renders": (
        "Hält ein wartendes oder entstehendes Bild an", "Arrête une image en attente ou en cours",
        "Detiene una imagen en espera o en curso", "待機中か作成中の画像を中止する",
        "Para uma imagem em espera ou em criação",
    ),
    "Its number; without one, all of yours": (
        "Seine Nummer; ohne eine alle deine", "Son numéro; sans numéro, toutes les vôtres",
        "Su número; sin número, todas las tuyas", "番号。なければ自分のすべて",
        "O número dela; sem número, todas as suas",
    ),
    "What you asked for before": (
        "Worum du früher gebeten hast", "Ce que vous avez demandé avant", "Lo que pediste antes",
        "これまでに頼んだもの",
        "O que você pediu antes",
    ),
    "Words of the prompt": (
        "Worte der Beschreibung", "Mots de la description", "Palabras de la descripción", "内容に含まれる言葉",
        "Palavras da descrição",
    ),
    "Only jobs before this number": (
        "Nur Aufträge vor dieser Nummer", "Seulement les tâches avant ce numéro",
        "Solo trabajos anteriores a este número", "この番号より前のジョブだけ", "Só tarefas antes deste número",
    ),
    "Only jobs after this number": (
        "Nur Aufträge nach dieser Nummer", "Seulement les tâches après ce numéro",
        "Solo trabajos posteriores a este número", "この番号より後のジョブだけ", "Só tarefas depois deste número",
    ),
    "What you can do here": (
        "Was du hier tun kannst", "Ce que vous pouvez faire ici", "Lo que puedes hacer aquí", "ここでできること",
        "O que você pode fazer aqui",
    ),
    "The command to explain": (
        "Der Befehl, der erklärt wird", "La commande à expliquer", "El comando que se explica", "説明するコマンド",
        "O comando a explicar",
    ),
    "See, export or delete what is kept of you": (
        "Sieh, lade oder lösche, was von dir bleibt", "Voir, exporter ou effacer ce qui est gardé de vous",
        "Ver, exportar o borrar lo que se guarda de ti", "保存された自分のデータを見る、書き出す、消す",
        "Ver, exportar ou apagar o que é guardado de você",
    ),
    "What to do; nothing explains": (
        "Was zu tun ist; nichts erklärt es", "Que faire; vide pour une explication",
        "Qué hacer; vacío para una explicación", "すること。空なら説明", "O que fazer; vazio para uma explicação",
    ),
    "What the admins of this server decide": (
        "Was die Admins dieses Servers bestimmen", "Ce que décident les admins de ce serveur",
        "Lo que deciden los admins de este servidor", "このサーバーの管理者が決めること",
        "O que os admins deste servidor decidem",
    ),
    "The settings, or the log": (
        "Die Einstellungen oder das Protokoll", "Les réglages ou le journal", "Los ajustes o el registro",
        "設定または記録", "As configurações ou o registro",
    ),
    "The model for who names none": (
        "Das Modell für alle, die keines nennen", "Le modèle de qui n’en nomme pas",
        "El modelo de quien no nombra ninguno", "モデルを選ばない人に使うモデル", "O modelo de quem não escolhe nenhum",
    ),
    "Most denoising steps": (
        "Höchstzahl der Schritte", "Nombre maximal d’étapes", "Número máximo de pasos", "ステップ数の上限",
        "Número máximo de passos",
    ),
    "Side of the largest square": (
        "Seite des größten Quadrats", "Côté du plus grand carré", "Lado del cuadrado más grande", "最大の正方形の一辺",
        "Lado do maior quadrado",
    ),
    "Answer the asker alone": (
        "Antworte nur dem, der fragt", "Répondre seulement à qui demande", "Responder solo a quien pregunta",
        "頼んだ人だけに答える", "Responder só a quem pede",
    ),
    "Make pictures only there": (
        "Macht nur dort Bilder", "Créer des images seulement là", "Crear imágenes solo ahí", "そこでだけ画像を作る",
        "Criar imagens só ali",
    ),
    "Take a channel off the list": (
        "Streicht einen Kanal von der Liste", "Retire un salon de la liste", "Quita un canal de la lista",
        "チャンネルを一覧から外す", "Tira um canal da lista",
    ),
    "The command that a role is for": (
        "Der Befehl, für den eine Rolle gilt", "La commande visée par le rôle", "El comando al que se aplica el rol",
        "ロールを求めるコマンド", "O comando a que o cargo se aplica",
    ),
    "Only these roles may use it": (
        "Nur diese Rollen dürfen ihn benutzen", "Seuls ces rôles peuvent l’utiliser", "Solo estos roles pueden usarlo",
        "このロールだけが使える", "Só estes cargos podem usá-lo",
    ),
    "Take a role off the list": (
        "Streicht eine Rolle von der Liste", "Retire un rôle de la liste", "Quita un rol de la lista",
        "ロールを一覧から外す", "Tira um cargo da lista",
    ),
    "Let this member decide here too": (
        "Lässt dieses Mitglied mitbestimmen", "Laisse ce membre décider aussi", "Deja decidir también a este miembro",
        "このメンバーにも決めさせる", "Deixa este membro decidir também",
    ),
    "Let them decide no longer": (
        "Lässt es nicht mehr mitbestimmen", "Ne le laisse plus décider", "Ya no le deja decidir",
        "もう決めさせない", "Não o deixa mais decidir",
    ),
    "Draw more on this side": (
        "Zeichnet auf dieser Seite weiter", "Dessiner davantage de ce côté", "Dibujar más por este lado",
        "この側に描き足す", "Desenhar mais deste lado",
    ),
    "Add pictures to those of your last sheet": (
        "Fügt deinem letzten Bogen Bilder hinzu", "Ajoute des images à ta dernière planche",
        "Añade imágenes a tu última hoja", "最後の一覧に画像を加える", "Adiciona imagens à tua última folha",
    ),
    "Make a picture larger": (
        "Macht ein Bild größer", "Agrandit une image", "Amplía una imagen", "画像を大きくする", "Amplia uma imagem",
    ),
    "What the picture shows, to draw it anew": (
        "Was das Bild zeigt, um es neu zu zeichnen", "Ce que l’image montre, pour la redessiner",
        "Lo que muestra la imagen, para redibujarla", "描き直すための画像の内容",
        "O que a imagem mostra, para redesenhá-la",
    ),
    "The picture to enlarge": (
        "Das Bild, das größer wird", "L’image à agrandir", "La imagen que se amplía", "拡大する画像",
        "A imagem a ampliar",
    ),
    "How many times as large": (
        "Wievielmal so groß", "Combien de fois plus grande", "Cuántas veces más grande", "何倍にするか",
        "Quantas vezes maior",
    ),
    "What enlarges it": (
        "Was es vergrößert", "Ce qui l’agrandit", "Con qué se amplía", "拡大に使うもの", "O que a amplia",
    ),
    "How much is drawn anew": (
        "Wie viel neu gezeichnet wird", "Quelle part est redessinée", "Cuánto se redibuja", "描き直す度合い",
        "Quanto é redesenhado",
    ),
    "Change only this, such as sky": (
        "Nur dies ändern, etwa sky", "Ne changer que ceci, par exemple sky", "Cambiar solo esto, como sky",
        "これだけ変える。例: sky", "Mudar só isto, como sky",
    ),
    "Kept too: depth:0.5 pose": (
        "Auch: depth:0.5 pose", "Aussi : depth:0.5 pose", "También: depth:0.5 pose", "これも: depth:0.5 pose",
        "Também: depth:0.5 pose",
    ),
    "Draw over a picture, wholly or in a part": (
        "Übermalt ein Bild, ganz oder zum Teil", "Redessine une image, en tout ou en partie",
        "Dibuja sobre una imagen, entera o en parte", "画像の全体か一部に描き重ねる",
        "Desenha sobre uma imagem, toda ou em parte",
    ),
    "Draw the mask alone with so much around it, in full size": (
        "Nur die Maske mit so viel Umgebung, in voller Größe", "Le masque seul, avec cette marge, en pleine taille",
        "Solo la máscara con este margen, a tamaño completo", "マスクとその周りだけを原寸で描く",
        "Só a máscara com esta margem, em tamanho cheio",
    ),
    "From this part on": (
        "Ab diesem Teil", "Dès cette part", "Desde esta parte",
        "この割合から", "A partir desta parte",
    ),
    "How much": ("Wie sehr", "À quel point", "Cuánto", "どのくらい", "Quanto"),
    "How much changes": ("Wie viel sich ändert", "Combien change", "Cuánto cambia", "どれだけ変えるか", "Quanto muda"),
    "How much it counts": (
        "Wie viel es zählt", "Combien elle compte", "Cuánto cuenta", "どれだけ効かせるか", "Quanto conta",
    ),
    "How much more, in percent": (
        "Wie viel mehr, in Prozent", "Combien de plus, en pour cent", "Cuánto más, en porcentaje",
        "どれだけ足すか、パーセント", "Quanto mais, em porcentagem",
    ),
    "Kept of this picture instead": (
        "Stattdessen von diesem Bild behalten", "Gardé de cette image à la place",
        "Conservado de esta imagen en su lugar", "代わりにこの画像から残す", "Mantido desta imagem em vez disso",
    ),
    "More or less of it": (
        "Mehr oder weniger davon", "Plus ou moins", "Más o menos",
        "多めか少なめか", "Mais ou menos",
    ),
    "Softness of the mask's edge": (
        "Wie weich der Rand der Maske ist", "Douceur du bord du masque", "Suavidad del borde de la máscara",
        "マスクの縁の柔らかさ", "Suavidade da borda da máscara",
    ),
    "It is a map already": (
        "Es ist schon eine Karte", "C’est déjà une carte", "Ya es un mapa",
        "すでにマップである", "Já é um mapa",
    ),
    "The picture to begin with": (
        "Das Bild, mit dem begonnen wird", "L’image de départ", "La imagen inicial", "最初の画像", "A imagem inicial",
    ),
    "The picture to keep it of": (
        "Wovon es behalten wird", "L’image dont on le garde", "De qué imagen se conserva",
        "残すもとの画像", "A imagem de que se mantém",
    ),
    "The same seed repeats the pictures": (
        "Derselbe Startwert wiederholt die Bilder", "La même graine redonne les mêmes images",
        "La misma semilla repite las imágenes", "同じシードなら同じ画像になる", "A mesma semente repete as imagens",
    ),
    "Until this part": (
        "Bis zu diesem Teil", "Jusqu’à cette part", "Hasta esta parte",
        "この割合まで", "Até esta parte",
    ),
    "What else is kept": (
        "Was sonst behalten wird", "Ce que l’on garde encore", "Qué más se conserva", "ほかに残すもの",
        "O que mais se mantém",
    ),
    "What the picture shows then": (
        "Was das Bild dann zeigt", "Ce que l’image montrera", "Lo que mostrará la imagen", "描き重ねた後の内容",
        "O que a imagem mostrará",
    ),
    "What the pictures show": (
        "Was die Bilder zeigen", "Ce que montrent les images", "Lo que muestran las imágenes", "画像に描くもの",
        "O que as imagens mostram",
    ),
    "Where pictures for adults are shown": (
        "Wo Bilder für Erwachsene gezeigt werden", "Où montrer les images pour adultes",
        "Dónde se muestran imágenes para adultos", "成人向けの画像を表示する場所", "Onde mostrar imagens para adultos",
    ),
    "If proportions differ": (
        "Bei anderen Proportionen", "Si les proportions diffèrent", "Si las proporciones difieren",
        "縦横比が違うとき", "Se as proporções diferem",
    ),
    "Which model draws it": (
        "Welches Modell zeichnet", "Le modèle qui la dessine", "Qué modelo la dibuja", "描くモデル",
        "Qual modelo a desenha",
    ),
    "Which model draws them": (
        "Welches Modell sie zeichnet", "Le modèle qui les dessine", "Qué modelo las dibuja", "描くモデル",
        "Qual modelo as desenha",
    ),
    "White where it may change": (
        "Weiß, wo es sich ändern darf", "Blanc là où elle peut changer", "Blanco donde puede cambiar",
        "変えてよいところを白く", "Branco onde pode mudar",
    ),
    "Who wins": ("Wer gewinnt", "Qui gagne", "Quién gana", "優先するもの", "Quem vence"),
    **_CONTROLS,
    **LIBRARY,
}  # fmt: skip
