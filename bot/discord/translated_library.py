"""What the commands and options of LoRAs and training are for, in other languages."""

from typing import Final

from bot.discord.translated_names import Row

LIBRARY: Final[dict[str, Row]] = {
    "1 is as trained, below 0 is the opposite": (
        "1 ist wie trainiert, unter 0 das Gegenteil", "1: comme entraîné; sous 0: le contraire",
        "1 es como se entrenó; menos de 0, lo contrario", "1は学習どおり、0未満は逆",
        "1 é como treinado; abaixo de 0, o contrário",
    ),
    "A .safetensors file": (
        "Eine .safetensors-Datei", "Un fichier .safetensors", "Un archivo .safetensors", ".safetensorsファイル",
        "Um arquivo .safetensors",
    ),
    "A ZIP of 3 to 20 pictures, or the first": (
        "Ein ZIP mit 3 bis 20 Bildern oder das erste", "Un ZIP de 3 à 20 images, ou la première",
        "Un ZIP de 3 a 20 imágenes, o la primera", "画像3～20枚のZIP、または最初の1枚",
        "Um ZIP de 3 a 20 imagens, ou a primeira",
    ),
    "A page or file on Civitai or Hugging Face": (
        "Eine Seite oder Datei bei Civitai oder Hugging Face", "Une page ou un fichier sur Civitai ou Hugging Face",
        "Una página o un archivo en Civitai o Hugging Face", "CivitaiかHugging Faceのページまたはファイル",
        "Uma página ou um arquivo no Civitai ou Hugging Face",
    ),
    "Add a LoRA from a link or a file": (
        "Fügt ein LoRA aus einem Link oder einer Datei hinzu", "Ajoute un LoRA par un lien ou un fichier",
        "Añade un LoRA desde un enlace o un archivo", "リンクかファイルからLoRAを追加する",
        "Adiciona um LoRA de um link ou arquivo",
    ),
    "Add it though part of it cannot be served": (
        "Auch wenn ein Teil davon nicht nutzbar ist", "L’ajouter même si une partie est inutilisable",
        "Añadirlo aunque una parte no se pueda usar", "一部が使えなくても追加する",
        "Adicionar mesmo que parte não possa ser usada",
    ),
    "All that is known of a LoRA": (
        "Alles, was von einem LoRA bekannt ist", "Tout ce que l’on sait d’un LoRA", "Todo lo que se sabe de un LoRA",
        "LoRAについてわかっていることすべて", "Tudo o que se sabe de um LoRA",
    ),
    "Call a LoRA something else": (
        "Nennt ein LoRA anders", "Donne un autre nom à un LoRA", "Da otro nombre a un LoRA", "LoRAの名前を変える",
        "Dá outro nome a um LoRA",
    ),
    "For you alone": ("Nur für dich", "Pour vous seul", "Solo para ti", "自分だけ", "Só para você"),
    "Forget it": ("Vergisst ihn", "L’oublier", "Olvidarla", "忘れる", "Esquecer"),
    "Give a LoRA to everyone here, or keep it": (
        "Gibt ein LoRA allen hier oder behält es", "Partage un LoRA avec tous ici, ou le garde",
        "Comparte un LoRA con todos aquí, o lo guarda", "LoRAを全員に共有するか自分だけにする",
        "Dá um LoRA a todos aqui, ou o guarda",
    ),
    "How strongly a LoRA is used unless one says": (
        "Wie stark ein LoRA wirkt, wenn niemand es sagt", "La force d’un LoRA si on ne la dit pas",
        "La fuerza de un LoRA si no se dice otra", "指定がないときのLoRAの強さ",
        "A força de um LoRA quando não se diz outra",
    ),
    "Its new name": ("Sein neuer Name", "Son nouveau nom", "Su nuevo nombre", "新しい名前", "O novo nome"),
    "Keep a set of LoRAs as one": (
        "Behält einen Satz LoRAs als eines", "Garde un ensemble de LoRA comme un seul",
        "Guarda un conjunto de LoRA como uno", "LoRAの組を一つにまとめる", "Guarda um conjunto de LoRAs como um só",
    ),
    "LoRAs at several scales, side by side": (
        "LoRAs in mehreren Stärken nebeneinander", "Des LoRA à plusieurs forces, côte à côte",
        "LoRA con varias fuerzas, lado a lado", "いくつかの強さのLoRAを並べて見る",
        "LoRAs em várias forças, lado a lado",
    ),
    "One more picture": ("Noch ein Bild", "Une image de plus", "Una imagen más", "もう1枚", "Mais uma imagem"),
    "One or two to vary, such as crayon:0.6 film:0.4; more stay as they are": (
        "Ein oder zwei werden verändert, etwa crayon:0.6 film:0.4; weitere bleiben",
        "Un ou deux varient, par exemple crayon:0.6 film:0.4; les autres restent",
        "Uno o dos varían, por ejemplo crayon:0.6 film:0.4; los demás se quedan igual",
        "1つか2つを変える。例: crayon:0.6 film:0.4。他はそのまま",
        "Um ou dois variam, por exemplo crayon:0.6 film:0.4; os outros ficam",
    ),
    "Part of a name": (
        "Ein Teil eines Namens", "Une partie d’un nom", "Parte de un nombre", "名前の一部", "Parte de um nome",
    ),
    "People may be trained on": (
        "Ob mit Menschen trainiert werden darf", "Entraîner avec des personnes est permis",
        "Se puede entrenar con personas", "人物の学習を許す", "Pode-se treinar com pessoas",
    ),
    "Remove a LoRA": ("Entfernt ein LoRA", "Retire un LoRA", "Quita un LoRA", "LoRAを削除する", "Remove um LoRA"),
    "Remove it without asking again": (
        "Entfernt es ohne Rückfrage", "Le retirer sans redemander", "Quitarlo sin volver a preguntar",
        "確認せずに削除する", "Remover sem perguntar de novo",
    ),
    "Teach a style from a few pictures in it": (
        "Lehrt einen Stil aus ein paar Bildern", "Apprend un style par quelques images",
        "Enseña un estilo con unas pocas imágenes", "数枚の画像から画風を教える",
        "Ensina um estilo com algumas imagens",
    ),
    "Teach a thing from a few pictures of it": (
        "Lehrt etwas aus ein paar Bildern davon", "Apprend une chose par quelques images",
        "Enseña una cosa con unas pocas imágenes", "数枚の画像から物を教える", "Ensina uma coisa com algumas imagens",
    ),
    "A subject as a file for other programs": (
        "Ein Gegenstand als Datei für andere Programme", "Un sujet en fichier pour d’autres programmes",
        "Un sujeto como archivo para otros programas", "被写体を他のプログラム用のファイルにする",
        "Um sujeito como arquivo para outros programas",
    ),
    "kohya for AUTOMATIC1111 and ComfyUI, diffusers for scripts": (
        "kohya für AUTOMATIC1111 und ComfyUI, diffusers für Skripte",
        "kohya pour AUTOMATIC1111 et ComfyUI, diffusers pour les scripts",
        "kohya para AUTOMATIC1111 y ComfyUI, diffusers para scripts",
        "kohyaはAUTOMATIC1111とComfyUI用、diffusersはスクリプト用",
        "kohya para AUTOMATIC1111 e ComfyUI, diffusers para scripts",
    ),
    "All that is known of a subject": (
        "Alles über einen Gegenstand", "Tout ce que l’on sait d’un sujet", "Todo lo que se sabe de un sujeto",
        "被写体の詳細", "Tudo o que se sabe de um sujeito",
    ),
    "Delete a subject and its sheets": (
        "Löscht einen Gegenstand und seine Blätter", "Efface un sujet et ses planches",
        "Borra un sujeto y sus hojas", "被写体とその一覧を消す", "Apaga um sujeito e suas folhas",
    ),
    "Give a subject to everyone here, or keep it": (
        "Gibt einen Gegenstand allen hier oder behält ihn", "Partage un sujet avec tous, ou le garde",
        "Comparte un sujeto con todos, o se lo queda", "被写体を全員に共有するか自分だけのものにする",
        "Compartilha um sujeito com todos, ou o guarda",
    ),
    "The subjects that you can use": (
        "Die Gegenstände, die du benutzen kannst", "Les sujets que vous pouvez utiliser",
        "Los sujetos que puedes usar", "使える被写体", "Os sujeitos que você pode usar",
    ),
    "Teach a subject anew from other pictures": (
        "Lehrt einen Gegenstand neu aus anderen Bildern", "Réapprend un sujet par d’autres images",
        "Enseña de nuevo un sujeto con otras imágenes", "別の画像から被写体を教え直す",
        "Ensina de novo um sujeito com outras imagens",
    ),
    "Which subject": ("Welcher Gegenstand", "Quel sujet", "Qué sujeto", "どの被写体か", "Qual sujeito"),
    "The LoRAs that you can use": (
        "Die LoRAs, die du benutzen kannst", "Les LoRA que vous pouvez utiliser", "Los LoRA que puedes usar",
        "使えるLoRA", "Os LoRAs que você pode usar",
    ),
    "The key, which is not shown again": (
        "Der Schlüssel, der nicht wieder gezeigt wird", "La clé, qui ne sera plus montrée",
        "La clave, que no se vuelve a mostrar", "キー。二度と表示されない", "A chave, que não será mostrada de novo",
    ),
    "The keys for Civitai and Hugging Face": (
        "Die Schlüssel für Civitai und Hugging Face", "Les clés de Civitai et de Hugging Face",
        "Las claves de Civitai y Hugging Face", "CivitaiとHugging Faceのキー", "As chaves do Civitai e do Hugging Face",
    ),
    "The person in them agreed": (
        "Der Mensch darauf ist einverstanden", "La personne montrée est d’accord",
        "La persona que aparece está de acuerdo", "写っている人が同意した", "A pessoa nelas concordou",
    ),
    "The set, such as crayon:0.8 film:0.5": (
        "Der Satz, etwa crayon:0.8 film:0.5", "L’ensemble, par exemple crayon:0.8 film:0.5",
        "El conjunto, por ejemplo crayon:0.8 film:0.5", "組。例: crayon:0.8 film:0.5",
        "O conjunto, por exemplo crayon:0.8 film:0.5",
    ),
    "These pictures are mine to use": (
        "Ich darf diese Bilder benutzen", "J’ai le droit d’utiliser ces images", "Tengo derecho a usar estas imágenes",
        "これらの画像を使う権利がある", "Tenho direito de usar estas imagens",
    ),
    "Look at the same pictures again as something else": (
        "Dieselben Bilder als etwas anderes ansehen", "Revoir les mêmes images comme autre chose",
        "Mirar las mismas imágenes como otra cosa", "同じ画像を別のものとして見直す",
        "Ver as mesmas imagens como outra coisa",
    ),
    "The number of their sheet": (
        "Die Nummer ihres Blattes", "Le numéro de leur planche", "El número de su hoja", "一覧の番号",
        "O número da folha",
    ),
    "What it is, such as dog": (
        "Was es ist, etwa dog", "Ce que c’est, par exemple dog", "Qué es, por ejemplo dog", "何であるか。例: dog",
        "O que é, por exemplo dog",
    ),
    "What to call it here": (
        "Wie es hier heißen soll", "Son nom ici", "Cómo llamarlo aquí", "ここでの名前", "Como chamá-lo aqui",
    ),
    "Which LoRA": ("Welches LoRA", "Quel LoRA", "Qué LoRA", "どのLoRAか", "Qual LoRA"),
    "Which page": ("Welche Seite", "Quelle page", "Qué página", "どのページか", "Qual página"),
    "Whose it is": ("Wem es gehört", "À qui il est", "De quién es", "誰のものか", "De quem é"),
    "Whose key": ("Wessen Schlüssel", "La clé de qui", "De quién es la clave", "誰のキーか", "De quem é a chave"),
}  # fmt: skip
